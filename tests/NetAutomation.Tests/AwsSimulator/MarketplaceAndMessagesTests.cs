using System.Text.Json;
using Microsoft.Extensions.Time.Testing;

namespace NetAutomation.Tests.AwsSimulator;

public sealed class MarketplaceAndMessagesTests
{
    private static readonly DateTimeOffset _noon = new(2026, 6, 1, 12, 30, 0, TimeSpan.Zero);

    [Fact]
    public async Task Subscription_is_resolved_by_its_token_until_the_token_expires()
    {
        var clock = new FakeTimeProvider(_noon);
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(), clock);
        var subscription = await SubscribeAsync(cloud);
        var token = new { RegistrationToken = subscription.GetProperty("registrationToken").GetString() };

        var (status, resolved) = await MarketplaceAsync(cloud, "AWSMPMeteringService.ResolveCustomer", token);
        status.ShouldBe(200);
        resolved.GetProperty("CustomerAWSAccountId").GetString().ShouldBe(SimulatedCloud.Customer);
        resolved.GetProperty("LicenseArn").GetString().ShouldBe(subscription.GetProperty("licenseArn").GetString());

        clock.Advance(TimeSpan.FromHours(5));
        var (late, expired) = await MarketplaceAsync(cloud, "AWSMPMeteringService.ResolveCustomer", token);
        late.ShouldBe(400);
        Type(expired).ShouldBe("ExpiredTokenException");
        var (_, invalid) = await MarketplaceAsync(cloud, "AWSMPMeteringService.ResolveCustomer", new { RegistrationToken = "nonsense" });
        Type(invalid).ShouldBe("InvalidTokenException");
    }

    [Fact]
    public async Task First_record_of_an_hour_stands_and_another_quantity_is_a_duplicate()
    {
        var clock = new FakeTimeProvider(_noon);
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(), clock);
        var license = await ActiveLicenseAsync(cloud);

        (await MeterAsync(cloud, Record(license, _noon, 5))).ShouldBe(["Success"]);
        (await MeterAsync(cloud, Record(license, _noon.AddMinutes(-20), 5))).ShouldBe(["Success"]);
        (await MeterAsync(cloud, Record(license, _noon.AddMinutes(-10), 6), Record(license, _noon.AddHours(-1), 7)))
            .ShouldBe(["DuplicateRecord", "Success"]);
        var kept = (await cloud.ControlAsync(HttpMethod.Get, "/control/metering")).GetProperty("records");
        kept.EnumerateArray().Select(r => r.GetProperty("quantity").GetInt32()).ShouldBe([5, 7]);
    }

    [Fact]
    public async Task One_record_out_of_bounds_refuses_the_whole_batch()
    {
        var clock = new FakeTimeProvider(_noon);
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(), clock);
        var license = await ActiveLicenseAsync(cloud);
        var good = Record(license, _noon, 1);

        (await MeterAsync(cloud, good, Record(license, _noon.AddHours(-7), 1))).ShouldBe(["TimestampOutOfBoundsException"]);
        (await MeterAsync(cloud, good, good with { Dimension = "unknown" })).ShouldBe(["InvalidUsageDimensionException"]);
        (await MeterAsync(cloud, good, good with { LicenseArn = "arn:aws:license-manager::1:license:l-0" }))
            .ShouldBe(["InvalidLicenseException"]);
        (await MeterAsync(cloud, good, good with { UsageAllocations = [new(2, [new("block", "audit")])] }))
            .ShouldBe(["InvalidUsageAllocationsException"]);
        (await MeterAsync(cloud, [.. Enumerable.Repeat(good, 26)])).ShouldBe(["ValidationException"]);
        (await cloud.ControlAsync(HttpMethod.Get, "/control/metering")).GetProperty("records").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task Ended_agreement_is_metered_until_its_licence_is_deprovisioned()
    {
        var clock = new FakeTimeProvider(_noon);
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(), clock);
        var subscription = await SubscribeAsync(cloud);
        var license = subscription.GetProperty("licenseArn").GetString()!;
        var id = subscription.GetProperty("id").GetString();
        (await MeterAsync(cloud, Record(license, _noon, 1))).ShouldBe(["CustomerNotSubscribed"]);
        await cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{id}:activate");
        await cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{id}:end");
        (await MeterAsync(cloud, Record(license, _noon, 1))).ShouldBe(["Success"]);
        await cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{id}:deprovision");
        (await MeterAsync(cloud, Record(license, _noon.AddHours(-1), 1))).ShouldBe(["CustomerNotSubscribed"]);

        var events = (await ReceiveAsync(cloud, new { cloud.QueueUrl, MaxNumberOfMessages = 10 }))
            .Select(m => JsonDocument.Parse(m.GetProperty("Body").GetString()!).RootElement).ToList();
        events.Select(e => e.GetProperty("detail-type").GetString()).ShouldBe(
            ["Purchase Agreement Created - Proposer", "License Updated - Manufacturer", "Purchase Agreement Ended - Proposer",
                "License Deprovisioned - Manufacturer"]);
        events.ShouldAllBe(e => e.GetProperty("detail").GetProperty("agreement").GetProperty("id").GetString() == id);
        events.Select(e => e.GetProperty("detail").TryGetProperty("license", out _)).ShouldBe([false, true, false, true]);
    }

    [Fact]
    public async Task Entitlements_of_an_active_licence_are_listed()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        var license = await ActiveLicenseAsync(cloud);
        var (_, found) =
            await MarketplaceAsync(
                cloud, "AWSMPEntitlementService.GetEntitlements",
                new { ProductCode = "pc", Filter = new { LICENSE_ARN = new[] { license } } });
        found.GetProperty("Entitlements")[0].GetProperty("Value").GetProperty("IntegerValue").GetInt32().ShouldBe(9);
        var (_, none) =
            await MarketplaceAsync(
                cloud, "AWSMPEntitlementService.GetEntitlements",
                new { ProductCode = "pc", Filter = new { CUSTOMER_AWS_ACCOUNT_ID = new[] { SimulatedCloud.Stranger } } });
        none.GetProperty("Entitlements").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task Message_that_was_not_deleted_comes_back_after_its_visibility_timeout()
    {
        var clock = new FakeTimeProvider(_noon);
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options(), clock);
        await cloud.JsonAsync(SimulatedCloud.Provider, "sqs", "AmazonSQS.SendMessage", new { cloud.QueueUrl, MessageBody = "hello" });
        var receive = new { cloud.QueueUrl, VisibilityTimeout = 60, MessageSystemAttributeNames = new[] { "ApproximateReceiveCount" } };

        var first = (await ReceiveAsync(cloud, receive)).Single();
        (await ReceiveAsync(cloud, receive)).ShouldBeEmpty();
        clock.Advance(TimeSpan.FromSeconds(60));
        var second = (await ReceiveAsync(cloud, receive)).Single();
        second.GetProperty("Attributes").GetProperty("ApproximateReceiveCount").GetString().ShouldBe("2");
        second.GetProperty("MD5OfBody").GetString().ShouldBe("5d41402abc4b2a76b9719d911017c592");

        await DeleteAsync(cloud, first);
        clock.Advance(TimeSpan.FromSeconds(60));
        var third = (await ReceiveAsync(cloud, receive)).ShouldHaveSingleItem("An outdated receipt must not delete the message.");
        await DeleteAsync(cloud, third);
        clock.Advance(TimeSpan.FromSeconds(60));
        (await ReceiveAsync(cloud, receive)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Long_poll_answers_when_a_message_arrives()
    {
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        var poll = ReceiveAsync(cloud, new { cloud.QueueUrl, WaitTimeSeconds = 20 });
        poll.IsCompleted.ShouldBeFalse();
        await cloud.ControlAsync(HttpMethod.Post, "/control/queues/events/messages", new { body = new { raw = true } }, 201);
        (await poll.WaitAsync(TimeSpan.FromSeconds(10))).Single().GetProperty("Body").GetString().ShouldBe("{\"raw\":true}");
    }

    private sealed record Tag(string Key, string Value);

    private sealed record Allocation(int AllocatedUsageQuantity, Tag[] Tags);

    private sealed record Usage(
        long Timestamp, string CustomerAWSAccountId, string LicenseArn, string Dimension, int Quantity, Allocation[] UsageAllocations);

    private static Usage Record(string license, DateTimeOffset at, int quantity) =>
        new(at.ToUnixTimeSeconds(), SimulatedCloud.Customer, license, "runs", quantity, []);

    private static Task<JsonElement> SubscribeAsync(SimulatedCloud cloud) =>
        cloud.ControlAsync(
            HttpMethod.Post, "/control/subscriptions", new { account = SimulatedCloud.Customer, entitlements = new { runs = 9 } }, 201);

    private static async Task<string> ActiveLicenseAsync(SimulatedCloud cloud)
    {
        var subscription = await SubscribeAsync(cloud);
        await cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{subscription.GetProperty("id").GetString()}:activate");
        return subscription.GetProperty("licenseArn").GetString()!;
    }

    private static Task<(int Status, JsonElement Body)> MarketplaceAsync(SimulatedCloud cloud, string target, object body) =>
        cloud.JsonAsync(SimulatedCloud.Provider, "aws-marketplace", target, body);

    /// <summary>The statuses of the results, or the one error that refused the request.</summary>
    private static async Task<List<string>> MeterAsync(SimulatedCloud cloud, params Usage[] records)
    {
        var (status, body) = await MarketplaceAsync(cloud, "AWSMPMeteringService.BatchMeterUsage", new { UsageRecords = records });
        return status == 200
            ? [.. body.GetProperty("Results").EnumerateArray().Select(r => r.GetProperty("Status").GetString()!)] : [Type(body)];
    }

    private static async Task<List<JsonElement>> ReceiveAsync(SimulatedCloud cloud, object request)
    {
        var (status, body) = await cloud.JsonAsync(SimulatedCloud.Provider, "sqs", "AmazonSQS.ReceiveMessage", request);
        status.ShouldBe(200, body.ToString());
        return body.TryGetProperty("Messages", out var messages) ? [.. messages.EnumerateArray()] : [];
    }

    private static async Task DeleteAsync(SimulatedCloud cloud, JsonElement message)
    {
        var (status, _) =
            await cloud.JsonAsync(
                SimulatedCloud.Provider, "sqs", "AmazonSQS.DeleteMessage",
                new { cloud.QueueUrl, ReceiptHandle = message.GetProperty("ReceiptHandle").GetString() });
        status.ShouldBe(200);
    }

    private static string Type(JsonElement error) => error.GetProperty("__type").GetString()!.Split('#')[1];
}
