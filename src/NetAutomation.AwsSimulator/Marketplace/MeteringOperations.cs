using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NetAutomation.AwsSimulator.State;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.Marketplace;

/// <summary>
/// AWS Marketplace Metering Service for a product with concurrent agreements, whose customers are known by licence, and for legacy ones,
/// whose customers are known by product code and account.
/// </summary>
internal sealed partial class MeteringOperations(State.Marketplace marketplace, SimulatorOptions options, TimeProvider clock)
{
    public Dictionary<string, JsonOperation> Operations => new(StringComparer.Ordinal)
    {
        ["AWSMPMeteringService.ResolveCustomer"] = (call, body) => Task.FromResult(Resolve(call, body)),
        ["AWSMPMeteringService.BatchMeterUsage"] = MeterAsync,
    };

    private object Resolve(AwsCall call, JsonObject body)
    {
        var token = JsonFields.Required(body, "RegistrationToken");
        RequireSeller(call, "InvalidTokenException");
        var subscription = marketplace.Resolve(token);
        return new
        {
            CustomerAWSAccountId = subscription.Account, subscription.ProductCode, subscription.LicenseArn, subscription.CustomerIdentifier,
        };
    }

    private async Task<object> MeterAsync(AwsCall call, JsonObject body)
    {
        var accounts = JsonFields.Objects(body, "UsageRecords").Select(record => JsonFields.Text(record, "CustomerAWSAccountId")).Distinct()
            .ToList();
        var (fault, account) = marketplace.Faults.Next(accounts);
        switch (fault)
        {
            case MeteringFault.Throttle:
                throw new AwsException("ThrottlingException", "The calls to the API are throttled.");
            case MeteringFault.Unavailable:
                throw new AwsException("InternalServiceErrorException", "An internal error has occurred. Retry your request.", 503);
            case MeteringFault.Cut:
                throw new OperationCanceledException("The connection is cut.");
            case MeteringFault.Refuse:
                throw new AwsException("InvalidLicenseException", "The LicenseArn is not valid for the product.");
        }
        var answer =
            Meter(call, body, record => account is null || JsonFields.Text(record, "CustomerAWSAccountId") == account ? fault : null);
        switch (fault)
        {
            case MeteringFault.KeptThenFailed:
                throw new AwsException("InternalServiceErrorException", "An internal error has occurred. Retry your request.", 500);
            case MeteringFault.KeptThenCut:
                throw new OperationCanceledException("The connection is cut.");
            case MeteringFault.KeptThenSilent:
                await Task.Delay(Timeout.Infinite, call.Aborted);
                break;
        }
        return answer;
    }

    private object Meter(AwsCall call, JsonObject body, Func<JsonObject, MeteringFault?> faultOf)
    {
        var usage = JsonFields.Objects(body, "UsageRecords").ToList();
        if (usage.Count > 25)
        {
            throw new AwsException(
                "ValidationException",
                "1 validation error detected: Value at 'usageRecords' failed to satisfy constraint: "
                    + "Member must have length less than or equal to 25");
        }
        RequireSeller(call, "InvalidProductCodeException");
        var code = JsonFields.Text(body, "ProductCode");
        if (code is not null && code != marketplace.Product.ProductCode
            && !marketplace.Product.LegacyProducts.Contains(code, StringComparer.Ordinal))
        {
            throw new AwsException(
                "InvalidProductCodeException", "The product code passed does not match the product code used for publishing the product.");
        }
        // Every record is checked before the first is kept: one bad record refuses the whole request.
        var records = usage.ConvertAll(record => Check(record, code));
        var (results, unprocessed) = (new List<object>(), new List<JsonObject>());
        foreach (var (sent, record) in usage.Zip(records))
        {
            if (faultOf(sent) == MeteringFault.Unprocessed)
            {
                unprocessed.Add(sent);
                continue;
            }
            var (status, id) = faultOf(sent) == MeteringFault.NotSubscribed ? ("CustomerNotSubscribed", null) : marketplace.Meter(record);
            results.Add(new { UsageRecord = sent, Status = status, MeteringRecordId = id });
        }
        return new { Results = results, UnprocessedRecords = unprocessed };
    }

    private MeteringRecord Check(JsonObject record, string? code)
    {
        var now = clock.GetUtcNow();
        var seconds = JsonFields.Number(record, "Timestamp")
            ?? throw new AwsException("ValidationException", "Value at 'timestamp' failed to satisfy constraint: Member must not be null");
        var timestamp = DateTimeOffset.UnixEpoch.AddSeconds(seconds);
        var dimension = JsonFields.Required(record, "Dimension");
        var quantity = JsonFields.Integer(record, "Quantity") ?? 0;
        if (timestamp > now.AddMinutes(5) || now - timestamp > TimeSpan.FromHours(marketplace.Product.MeteringHours))
        {
            throw new AwsException(
                "TimestampOutOfBoundsException", "The timestamp value passed in the UsageRecord is out of allowed range.");
        }
        if (!marketplace.Product.Dimensions.Contains(dimension, StringComparer.Ordinal))
        {
            throw new AwsException(
                "InvalidUsageDimensionException",
                "The usage dimension does not match one of the UsageDimensions associated with products.");
        }
        if (quantity is < 0 or > int.MaxValue)
        {
            throw new AwsException(
                "ValidationException", "Value at 'quantity' failed to satisfy constraint: Member must have value between 0 and 2147483647");
        }
        CheckAllocations(record, quantity);
        var (account, license) = Customer(record, code);
        var hour = new DateTimeOffset(timestamp.UtcTicks - (timestamp.UtcTicks % TimeSpan.TicksPerHour), TimeSpan.Zero);
        return new MeteringRecord(
            Guid.NewGuid().ToString(), account, license, license is null ? code! : marketplace.Product.ProductCode, dimension, timestamp,
            hour, (int)quantity, now, record["UsageAllocations"]?.ToJsonString());
    }

    private (string Account, string? License) Customer(JsonObject record, string? code)
    {
        var legacy = code is not null && marketplace.Product.LegacyProducts.Contains(code, StringComparer.Ordinal);
        var license = JsonFields.Text(record, "LicenseArn");
        if (legacy && license is not null)
        {
            throw new AwsException("InvalidLicenseException", "The product has no concurrent agreements.");
        }
        if (JsonFields.Text(record, "CustomerIdentifier") is { } identifier)
        {
            var known = legacy && record["CustomerAWSAccountId"] is null
                ? marketplace.Subscriptions().FirstOrDefault(s => s.ProductCode == code && s.CustomerIdentifier == identifier) : null;
            return known is not null ? (known.Account, null)
                : throw new AwsException(
                    "InvalidCustomerIdentifierException",
                    "You have metered usage for a CustomerIdentifier that does not exist, or the product identifies customers by "
                        + "CustomerAWSAccountId and LicenseArn.");
        }
        var account = JsonFields.Required(record, "CustomerAWSAccountId");
        if (legacy)
        {
            return (account, null);
        }
        license = license
            ?? throw new AwsException("InvalidLicenseException", "The LicenseArn is required for a product with concurrent agreements.");
        return marketplace.Subscriptions().Any(s => s.LicenseArn == license) ? (account, license)
            : throw new AwsException("InvalidLicenseException", "The LicenseArn is not valid for the product.");
    }

    private static void CheckAllocations(JsonObject record, long quantity)
    {
        var allocations = JsonFields.Objects(record, "UsageAllocations").ToList();
        if (allocations.Count == 0)
        {
            return;
        }
        var tags = allocations.ConvertAll(a => JsonFields.Objects(a, "Tags")
            .Select(t => (Key: JsonFields.Required(t, "Key"), Value: JsonFields.Required(t, "Value"))).Order().ToList());
        if (tags.Exists(
            set => set.Count > 5
                || set.Exists(t => t.Key.Length > 100 || t.Value.Length > 256 || !TagText().IsMatch(t.Key) || !TagText().IsMatch(t.Value))))
        {
            throw new AwsException("InvalidTagException", "The tag is invalid, or the number of tags is greater than 5.");
        }
        if (allocations.Count > 2500
            || allocations.Sum(a => JsonFields.Integer(a, "AllocatedUsageQuantity") ?? 0) != quantity
            || tags.Select(set => string.Join('\n', set)).Distinct(StringComparer.Ordinal).Count() != tags.Count)
        {
            throw new AwsException(
                "InvalidUsageAllocationsException",
                "Sum of allocated usage quantities is not equal to the usage quantity, or the tag sets are not unique.");
        }
    }

    private void RequireSeller(AwsCall call, string fault)
    {
        if (call.Account != options.ProviderAccount)
        {
            throw new AwsException(fault, "The request was not made with credentials of the account that published the product.");
        }
    }

    [GeneratedRegex(@"^[a-zA-Z0-9+ \-=._:\\/@]+$", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex TagText();
}
