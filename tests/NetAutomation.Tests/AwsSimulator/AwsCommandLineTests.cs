using System.Diagnostics;
using System.Text.Json;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.AwsSimulator;

/// <summary>The aws command line is the judge of the wire formats: its models parse every answer.</summary>
public sealed class AwsCommandLineTests
{
    private static readonly string? _aws = Environment.GetEnvironmentVariable("PATH")?.Split(':').Select(d => Path.Combine(d, "aws"))
        .FirstOrDefault(File.Exists);

    [Fact]
    public async Task Endpoint_is_created_by_the_customer_and_accepted_by_the_provider()
    {
        RequireAws();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());

        (await FailAsync(cloud, SimulatedCloud.Stranger, Create)).ShouldContain("(InvalidServiceName)");
        var created = await RunAsync(cloud, SimulatedCloud.Customer, Create);
        var id = created.GetProperty("VpcEndpoint").GetProperty("VpcEndpointId").GetString()!;
        var found =
            await RunAsync(
                cloud, SimulatedCloud.Provider,
                "ec2 describe-vpc-endpoint-connections --filters Name=vpc-endpoint-state,Values=pendingAcceptance");
        var connection = found.GetProperty("VpcEndpointConnections")[0];
        connection.GetProperty("VpcEndpointOwner").GetString().ShouldBe(SimulatedCloud.Customer);
        connection.GetProperty("VpcEndpointConnectionId").GetString().ShouldStartWith("vpce-con-");

        var accept =
            $"ec2 accept-vpc-endpoint-connections --service-id {SimulatedCloud.ServiceId} --vpc-endpoint-ids {id} vpce-00000000000000000";
        (await FailAsync(cloud, SimulatedCloud.Provider, accept + " --dry-run")).ShouldContain("(DryRunOperation)");
        var unsuccessful = (await RunAsync(cloud, SimulatedCloud.Provider, accept)).GetProperty("Unsuccessful");
        unsuccessful.GetArrayLength().ShouldBe(1);
        unsuccessful[0].GetProperty("Error").GetProperty("Code").GetString().ShouldBe("InvalidVpcEndpoint.NotFound");
        await Eventually.Holds(
            async () => (await RunAsync(cloud, SimulatedCloud.Customer, $"ec2 describe-vpc-endpoints --vpc-endpoint-ids {id}"))
            .GetProperty("VpcEndpoints")[0].GetProperty("State").GetString() == "available");
    }

    [Fact]
    public async Task Service_and_its_permissions_are_described()
    {
        RequireAws();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        var service = (await RunAsync(cloud, SimulatedCloud.Provider, "ec2 describe-vpc-endpoint-service-configurations"))
            .GetProperty("ServiceConfigurations")[0];
        service.GetProperty("ServiceName").GetString().ShouldBe(SimulatedCloud.ServiceName);
        service.GetProperty("AcceptanceRequired").GetBoolean().ShouldBeTrue();
        var changed = await RunAsync(
            cloud, SimulatedCloud.Provider,
            $"ec2 modify-vpc-endpoint-service-permissions --service-id {SimulatedCloud.ServiceId}"
            + $" --add-allowed-principals arn:aws:iam::{SimulatedCloud.Stranger}:role/net");
        changed.GetProperty("ReturnValue").GetBoolean().ShouldBeTrue();
        var principals = (await RunAsync(
            cloud, SimulatedCloud.Provider,
            $"ec2 describe-vpc-endpoint-service-permissions --service-id {SimulatedCloud.ServiceId}"
            + " --filters Name=principal-type,Values=Role")).GetProperty("AllowedPrincipals");
        principals.EnumerateArray().Select(p => p.GetProperty("Principal").GetString())
            .ShouldBe([$"arn:aws:iam::{SimulatedCloud.Stranger}:role/net"]);
    }

    [Fact]
    public async Task Targets_are_registered_and_their_health_is_read()
    {
        RequireAws();
        using var target = new TcpTarget();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        var arn = (await RunAsync(cloud, SimulatedCloud.Provider, "elbv2 describe-target-groups --names customer"))
            .GetProperty("TargetGroups")[0].GetProperty("TargetGroupArn").GetString();
        await RunAsync(
            cloud, SimulatedCloud.Provider,
            $"elbv2 register-targets --target-group-arn {arn} --targets Id=127.0.0.1,Port={target.Address.Port}");
        await Eventually.Holds(
            async () => (await RunAsync(cloud, SimulatedCloud.Provider, $"elbv2 describe-target-health --target-group-arn {arn}"))
            .GetProperty("TargetHealthDescriptions")[0].GetProperty("TargetHealth").GetProperty("State").GetString() == "healthy");
        var attributes =
            await RunAsync(
                cloud, SimulatedCloud.Provider,
                $"elbv2 modify-target-group-attributes --target-group-arn {arn} --attributes Key=proxy_protocol_v2.enabled,Value=false");
        attributes.GetProperty("Attributes").EnumerateArray().Single(a => a.GetProperty("Key").GetString() == "proxy_protocol_v2.enabled")
            .GetProperty("Value").GetString().ShouldBe("false");
        await RunAsync(
            cloud, SimulatedCloud.Provider,
            $"elbv2 deregister-targets --target-group-arn {arn} --targets Id=127.0.0.1,Port={target.Address.Port}");
        (await FailAsync(cloud, SimulatedCloud.Provider, $"elbv2 describe-target-health --target-group-arn {arn}0"))
            .ShouldContain("(TargetGroupNotFound)");
    }

    [Fact]
    public async Task Buyer_is_resolved_entitled_and_metered()
    {
        RequireAws();
        await using var cloud = await SimulatedCloud.StartAsync(SimulatedCloud.Options());
        var subscription =
            await cloud.ControlAsync(
                HttpMethod.Post, "/control/subscriptions", new { account = SimulatedCloud.Customer, entitlements = new { runs = 3 } }, 201);
        await cloud.ControlAsync(HttpMethod.Post, $"/control/subscriptions/{subscription.GetProperty("id").GetString()}:activate");

        var customer =
            await RunAsync(
                cloud, SimulatedCloud.Provider,
                "meteringmarketplace resolve-customer --registration-token " + subscription.GetProperty("registrationToken").GetString());
        var license = customer.GetProperty("LicenseArn").GetString();
        (await RunAsync(
            cloud, SimulatedCloud.Provider, $"marketplace-entitlement get-entitlements --product-code pc --filter LICENSE_ARN={license}"))
            .GetProperty("Entitlements")[0].GetProperty("Value").GetProperty("IntegerValue").GetInt32().ShouldBe(3);
        var metered = await RunAsync(cloud, SimulatedCloud.Provider,
            "meteringmarketplace batch-meter-usage"
            + $" --usage-records Timestamp={TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()}"
            + $",CustomerAWSAccountId={SimulatedCloud.Customer},LicenseArn={license},Dimension=runs,Quantity=4");
        metered.GetProperty("Results")[0].GetProperty("Status").GetString().ShouldBe("Success");
        (await FailAsync(cloud, SimulatedCloud.Provider, "meteringmarketplace resolve-customer --registration-token nonsense"))
            .ShouldContain("(InvalidTokenException)");

        var messages =
            (await RunAsync(
                cloud, SimulatedCloud.Provider,
                $"sqs receive-message --queue-url {cloud.QueueUrl} --max-number-of-messages 10 --wait-time-seconds 1"))
                    .GetProperty("Messages");
        messages.GetArrayLength().ShouldBe(2);
        await RunAsync(
            cloud, SimulatedCloud.Provider,
            $"sqs delete-message --queue-url {cloud.QueueUrl} --receipt-handle {messages[0].GetProperty("ReceiptHandle").GetString()}");
        (await FailAsync(cloud, SimulatedCloud.Provider, $"sqs receive-message --queue-url {cloud.QueueUrl}-other"))
            .ShouldContain("(AWS.SimpleQueueService.NonExistentQueue)");
    }

    /// <summary>One command for each operation; later commands use the named value of an answer in braces.</summary>
    private static readonly (string Operation, string Command, string? Name, string[] Path)[] _commands =
    [
        ("sts.GetCallerIdentity", "sts get-caller-identity", null, []),
        ("ec2.CreateVpcEndpoint", Create, "endpoint", ["VpcEndpoint", "VpcEndpointId"]),
        ("ec2.DescribeVpcEndpoints", "ec2 describe-vpc-endpoints --vpc-endpoint-ids {endpoint}", null, []),
        ("ec2.DescribeVpcEndpointConnections",
            "ec2 describe-vpc-endpoint-connections --filters Name=vpc-endpoint-region,Values=us-east-1 --page-size 5", null, []),
        ("ec2.AcceptVpcEndpointConnections", "ec2 accept-vpc-endpoint-connections --service-id {service} --vpc-endpoint-ids {endpoint}",
            null, []),
        ("ec2.RejectVpcEndpointConnections", "ec2 reject-vpc-endpoint-connections --service-id {service} --vpc-endpoint-ids {endpoint}",
            null, []),
        ("ec2.DeleteVpcEndpoints", "ec2 delete-vpc-endpoints --vpc-endpoint-ids {endpoint}", null, []),
        ("ec2.DescribeVpcEndpointServiceConfigurations", "ec2 describe-vpc-endpoint-service-configurations --service-ids {service}", null,
            []),
        ("ec2.StartVpcEndpointServicePrivateDnsVerification",
            "ec2 start-vpc-endpoint-service-private-dns-verification --service-id {service}", null, []),
        ("ec2.ModifyVpcEndpointServicePermissions",
            "ec2 modify-vpc-endpoint-service-permissions --service-id {service} --add-allowed-principals *", null, []),
        ("ec2.DescribeVpcEndpointServicePermissions", "ec2 describe-vpc-endpoint-service-permissions --service-id {service}", null, []),
        ("ec2.CreateVpcEndpointConnectionNotification",
            "ec2 create-vpc-endpoint-connection-notification --service-id {service} --connection-notification-arn {topic}"
            + " --connection-events Accept Connect",
            "notification", ["ConnectionNotification", "ConnectionNotificationId"]),
        ("ec2.DescribeVpcEndpointConnectionNotifications",
            "ec2 describe-vpc-endpoint-connection-notifications --connection-notification-id {notification}", null, []),
        ("ec2.DeleteVpcEndpointConnectionNotifications",
            "ec2 delete-vpc-endpoint-connection-notifications --connection-notification-ids {notification}", null, []),
        ("elb.DescribeTargetGroups", "elbv2 describe-target-groups --names customer", "group", ["TargetGroups", "TargetGroupArn"]),
        ("elb.RegisterTargets", "elbv2 register-targets --target-group-arn {group} --targets Id=127.0.0.1,Port=9", null, []),
        ("elb.DescribeTargetHealth", "elbv2 describe-target-health --target-group-arn {group}", null, []),
        ("elb.DeregisterTargets", "elbv2 deregister-targets --target-group-arn {group} --targets Id=127.0.0.1,Port=9", null, []),
        ("elb.DescribeTargetGroupAttributes", "elbv2 describe-target-group-attributes --target-group-arn {group}", null, []),
        ("elb.ModifyTargetGroupAttributes",
            "elbv2 modify-target-group-attributes --target-group-arn {group} --attributes Key=deregistration_delay.timeout_seconds,Value=1",
            null, []),
        ("AmazonSQS.SendMessage", "sqs send-message --queue-url {queue} --message-body hello", null, []),
        ("AmazonSQS.ReceiveMessage", "sqs receive-message --queue-url {queue}", "receipt", ["Messages", "ReceiptHandle"]),
        ("AmazonSQS.DeleteMessage", "sqs delete-message --queue-url {queue} --receipt-handle {receipt}", null, []),
        ("AWSMPMeteringService.ResolveCustomer", "meteringmarketplace resolve-customer --registration-token {token}", null, []),
        ("AWSMPMeteringService.BatchMeterUsage",
            "meteringmarketplace batch-meter-usage"
            + " --usage-records Timestamp={now},CustomerAWSAccountId={customer},LicenseArn={license},Dimension=runs,Quantity=1",
            null, []),
        ("TrentService.Encrypt", $"kms encrypt --key-id {SimulatedCloud.KeyId} --plaintext aGVsbG8=", "blob", ["CiphertextBlob"]),
        ("TrentService.Decrypt", "kms decrypt --ciphertext-blob fileb://{file}", null, []),
        ("AWSMPEntitlementService.GetEntitlements", "marketplace-entitlement get-entitlements --product-code pc", null, []),
    ];

    [Fact]
    public async Task Every_operation_is_called()
    {
        RequireAws();
        const string Topic = $"arn:aws:sns:us-east-1:{SimulatedCloud.Provider}:endpoints";
        var options = SimulatedCloud.Options();
        await using var cloud = await SimulatedCloud.StartAsync(options with
        {
            Services = [options.Services[0] with { PrivateDnsName = "api.example.com" }],
            Topics = new Dictionary<string, string> { [Topic] = "events" },
        });
        var offered = (await cloud.ControlAsync(HttpMethod.Get, "/control/calls")).EnumerateArray()
            .Select(call => call.GetProperty("operation").GetString());
        _commands.Select(each => each.Operation).ShouldBe(offered, ignoreOrder: true);

        var bought = await cloud.ControlAsync(HttpMethod.Post, "/control/subscriptions", new { account = SimulatedCloud.Customer }, 201);
        var blob = Path.GetTempFileName();
        var values = new Dictionary<string, string>
        {
            ["service"] = SimulatedCloud.ServiceId, ["file"] = blob, ["topic"] = Topic, ["queue"] = cloud.QueueUrl,
            ["customer"] = SimulatedCloud.Customer,
            ["now"] = $"{TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()}",
            ["token"] = bought.GetProperty("registrationToken").GetString()!, ["license"] = bought.GetProperty("licenseArn").GetString()!,
        };
        foreach (var (operation, command, name, path) in _commands)
        {
            var account = operation is "ec2.CreateVpcEndpoint" or "ec2.DescribeVpcEndpoints" or "ec2.DeleteVpcEndpoints"
                ? SimulatedCloud.Customer : SimulatedCloud.Provider;
            var answer =
                await RunAsync(
                    cloud, account,
                    values.Aggregate(command, (text, value) => text.Replace($"{{{value.Key}}}", value.Value, StringComparison.Ordinal)));
            if (name is not null)
            {
                values[name] =
                    path.Aggregate(
                        answer,
                        (part, member) => part.GetProperty(member) is { ValueKind: JsonValueKind.Array } list
                            ? list[0] : part.GetProperty(member)).GetString()!;
            }

            if (name == "blob")
            {
                // The command line reads bytes from files only.
                await File.WriteAllBytesAsync(blob, Convert.FromBase64String(values[name]));
            }
        }
    }

    private const string Create =
        "ec2 create-vpc-endpoint --vpc-endpoint-type Interface --vpc-id vpc-1 --subnet-ids subnet-1 --service-name "
            + SimulatedCloud.ServiceName;

    private static void RequireAws() => Assert.SkipUnless(_aws is not null, "The aws command line is not installed.");

    private static async Task<JsonElement> RunAsync(SimulatedCloud cloud, string account, string arguments)
    {
        var (code, output, error) = await CallAsync(cloud, account, arguments);
        code.ShouldBe(0, error);
        return output.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(output);
    }

    private static async Task<string> FailAsync(SimulatedCloud cloud, string account, string arguments)
    {
        var (code, _, error) = await CallAsync(cloud, account, arguments);
        code.ShouldNotBe(0);
        return error;
    }

    private static async Task<(int Code, string Output, string Error)> CallAsync(SimulatedCloud cloud, string account, string arguments)
    {
        using var process =
            Process.Start(
                new ProcessStartInfo(
                    _aws!, [
                        "--endpoint-url", cloud.AwsUrl.ToString(), "--region", "us-east-1", "--output", "json", .. arguments.Split(' ')])
                {
                    UseShellExecute = false,
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                    Environment =
            {
                ["AWS_ACCESS_KEY_ID"] = "AKIA" + account,
                ["AWS_SECRET_ACCESS_KEY"] = "secret-of-" + account,
                ["AWS_EC2_METADATA_DISABLED"] = "true",
                ["AWS_CONFIG_FILE"] = "/dev/null",
                ["AWS_SHARED_CREDENTIALS_FILE"] = "/dev/null",
                ["AWS_PAGER"] = "",
            },
                })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
