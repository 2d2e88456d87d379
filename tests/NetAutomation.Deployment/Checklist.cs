using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NetAutomation.EndToEnd;

namespace NetAutomation.Deployment;

/// <summary>
/// The lines of docs/deploying-on-aws.md that a template can be held to, each by its number. A check says what it found wrong.
/// </summary>
internal static partial class Checklist
{
    public static readonly IReadOnlyDictionary<int, Func<Templates, IEnumerable<string>>> Checks =
        new SortedDictionary<int, Func<Templates, IEnumerable<string>>>
        {
            [1] = Acceptance, [2] = LoadBalancer, [3] = TargetGroups, [4] = WhoReachesWhom, [5] = PrivateName, [6] = Notification,
            [7] = Queues,
            [8] = Topics, [9] = PublicSubnets, [10] = FlowLogs, [11] = Endpoints, [12] = Database, [13] = Kept, [14] = Backups, [16] = Keys,
            [17] = NoSecrets, [19] = LeastPrivilege, [20] = NoUsers, [21] = ConfusedDeputy, [22] = Boundary, [23] = Confinement,
            [24] = Images,
            [26] = Logs, [27] = Buckets, [28] = AccessLogs, [29] = Page, [30] = OperatorListener, [31] = Services, [32] = Alarms,
            [33] = Account,
            [34] = Costs, [39] = Migration, [40] = Marketplace,
        };

    /// <summary>Actions that AWS gives no resource to narrow them by, and reads of which the answer is the account's own.</summary>
    private static readonly string[] _withoutResource =
    [
        "ec2:DescribeVpcEndpointConnections", "ec2:DescribeVpcEndpointServiceConfigurations", "ec2:DescribeVpcEndpointServicePermissions",
        "ecr:GetAuthorizationToken", "ecs:DiscoverPollEndpoint", "logs:DescribeLogGroups",
        "aws-marketplace:BatchMeterUsage", "aws-marketplace:GetEntitlements", "aws-marketplace:ResolveCustomer",
    ];

    /// <summary>AWS documents no aws:SourceArn for the trust in them.</summary>
    private static readonly string[] _withoutSource = ["ec2.amazonaws.com", "backup.amazonaws.com"];

    private static readonly string[] _marketplace =
        ["aws-marketplace:BatchMeterUsage", "aws-marketplace:GetEntitlements", "aws-marketplace:ResolveCustomer"];

    /// <summary>What is wrong by one line; nothing where all is well.</summary>
    public static IReadOnlyList<string> Findings(int line, Templates templates)
    {
        try
        {
            return [.. Checks[line](templates).Where(finding => finding.Length > 0)];
        }
        catch (InvalidDataException none)
        {
            return [none.Message];
        }
    }

    private static IEnumerable<string> Acceptance(Templates all)
    {
        foreach (var service in Some(all, "AWS::EC2::VPCEndpointService"))
        {
            yield return Unless(Is(service, "AcceptanceRequired", "true"), $"{service} accepts whoever asks");
        }
        foreach (var (resource, _) in all.Statements().Where(each => Allows(each.Statement) && Principals(each.Statement).Contains("*")))
        {
            yield return $"{resource} lets everybody in";
        }

        foreach (var permissions in all.Of("AWS::EC2::VPCEndpointServicePermissions"))
        {
            yield return $"{permissions}: who may find the service is decided while it runs";
        }
    }

    private static IEnumerable<string> LoadBalancer(Templates all)
    {
        var balancers = all.Of("AWS::ElasticLoadBalancingV2::LoadBalancer").Where(each => Is(each, "Type", "network")).ToList();
        yield return Unless(balancers.Count == 1, "there is one network load balancer");
        foreach (var each in balancers)
        {
            yield return Unless(Is(each, "Scheme", "internal"), $"{each} is on the internet");
            yield return Unless(each.Properties["Subnets"]?.AsArray().Count >= 2, $"{each} is in one zone");
            yield return Unless(Attribute(each, "LoadBalancerAttributes", "load_balancing.cross_zone.enabled") == "true",
                $"{each} does not cross zones");
            yield return Unless(Attribute(each, "LoadBalancerAttributes", "deletion_protection.enabled") == "true",
                $"{each} can be deleted");
        }
    }

    private static IEnumerable<string> TargetGroups(Templates all)
    {
        var groups = all.Of("AWS::ElasticLoadBalancingV2::TargetGroup").Where(each => each.Id.StartsWith('C')).ToList();
        yield return Unless(groups.Count == 2, "there are target groups of customers and connectors");
        foreach (var each in groups)
        {
            yield return Unless(Is(each, "Protocol", "TCP") && Is(each, "TargetType", "ip"), $"{each} is not of type ip and TCP");
            yield return Unless(Attribute(each, "TargetGroupAttributes", "proxy_protocol_v2.enabled") == "true",
                $"{each} does not name endpoints");
            yield return Unless(
                Attribute(each, "TargetGroupAttributes", "deregistration_delay.connection_termination.enabled") == "false",
                    $"{each} cuts connections");
            yield return Unless(Attribute(each, "TargetGroupAttributes", "deregistration_delay.timeout_seconds") == "30",
                $"{each} lets go at another time");
            yield return Unless(
                Is(each, "HealthCheckProtocol", "HTTPS") && Is(each, "HealthCheckPort", "traffic-port")
                    && Is(each, "HealthCheckPath", "/healthz/ready"),
                $"{each} asks for health where no header is understood");
        }
    }

    private static IEnumerable<string> WhoReachesWhom(Templates all)
    {
        var balancer = all.Of("AWS::ElasticLoadBalancingV2::LoadBalancer").FirstOrDefault(each => Is(each, "Type", "network"));
        yield return Unless(
            balancer?.Properties["SecurityGroups"] is JsonArray { Count: 1 } groups && Group(all, balancer, groups[0]) == "LoadBalancer",
            "the network load balancer has no security group, and can get none later");
        foreach (var (group, rule) in Ingress(all))
        {
            var open = Templates.Strings(rule["CidrIp"]).Concat(Templates.Strings(rule["CidrIpv6"])).ToList();
            var port = rule["FromPort"]?.ToString();
            yield return Unless(
                open.Count == 0 || (group == "Page" && open is ["0.0.0.0/0"] && port is "443" or "80"),
                    $"{group}: port {port} is open to {string.Join(' ', open)}");
            (string?, string?, string?) way = (Source(all, rule), group, port);
            var ways = new (string?, string?, string?)[]
            {
                ("LoadBalancer", "Api", "8443"), ("LoadBalancer", "Api", "8444"), ("Page", "Api", "8080"), ("Staff", "Api", "9443"),
                ("Api", "Api", "9444"), ("Worker", "Api", "9444"), ("Scheduler", "Api", "9444"),
                ("Api", "Database", "5432"), ("Worker", "Database", "5432"), ("Scheduler", "Database", "5432"),
                    ("Migrate", "Database", "5432"),
                ("Api", "Endpoints", "443"), ("Worker", "Endpoints", "443"), ("Scheduler", "Endpoints", "443"),
                    ("Migrate", "Endpoints", "443"),
                ("Hosts", "Endpoints", "443"),
            };
            yield return Unless(open.Count > 0 || ways.Contains(way), $"{way.Item1} reaches {way.Item2} at port {port}");
        }

        yield return Unless(Ingress(all).All(each => each.Group != "LoadBalancer"),
            "the load balancer of customers lets others in than endpoints");
    }

    private static IEnumerable<string> PrivateName(Templates all)
    {
        foreach (var task in Tasks(all).Where(task => Environment(task, "Roles__0") is not null))
        {
            yield return Unless(
                Environment(task, "Edge__ServerName") is JsonObject, $"{task} has no name from outside");
            yield return Unless(Environment(task, "Onboarding__PrivateDns")?.ToString() == "true",
                $"{task} tells customers of no private name");
        }

        yield return Unless(all.Stacks["edge"]["Outputs"]?["PrivateDnsCommand"] is not null, "nobody is told how the private name is set");
        yield return Unless(
            all.Of("AWS::EC2::VPCEndpointService").All(each => each.Properties["SupportedRegions"] is not null)
            && all.Stacks["edge"]["Parameters"]?["SupportedRegions"] is not null, "Regions cannot be chosen");
    }

    private static IEnumerable<string> Notification(Templates all)
    {
        foreach (var notice in Some(all, "AWS::EC2::VPCEndpointConnectionNotification"))
        {
            yield return Unless(
                Templates.Strings(notice.Properties["ConnectionEvents"]).Order(StringComparer.Ordinal)
                    .SequenceEqual(["Accept", "Connect", "Delete", "Reject"]),
                $"{notice} leaves events out");
            var topic = all.Named(notice, notice.Properties["ConnectionNotificationArn"]);
            var subscribed = all.Of("AWS::SNS::Subscription").FirstOrDefault(each => Is(each, "Protocol", "sqs")
                && all.Named(each, each.Properties["TopicArn"])?.Id == topic?.Id);
            yield return Unless(subscribed is not null, $"{notice}: no queue has its notices");
            yield return Unless(
                all.Statements().Any(each => each.Resource.Type == "AWS::SNS::TopicPolicy"
                    && Principals(each.Statement).Contains("vpce.amazonaws.com")
                    && FromHere(each.Statement)), $"{notice} may not publish, or everybody's notices may");
        }
        yield return Unless(Tasks(all).Any(task => Environment(task, "Onboarding__NotificationQueueUrl") is JsonObject),
            "the service does not read the queue");
    }

    private static IEnumerable<string> Queues(Templates all)
    {
        var queues = Some(all, "AWS::SQS::Queue");
        var dead = queues.SelectMany(queue => new[] { all.Named(queue, queue.Properties["RedrivePolicy"]?["deadLetterTargetArn"])?.Id })
            .Where(id => id is not null).ToHashSet();
        foreach (var queue in queues)
        {
            yield return Unless(dead.Contains(queue.Id)
                || queue.Properties["RedrivePolicy"] is not null, $"{queue} has no queue for dead letters");
            yield return Unless(queue.Properties["KmsMasterKeyId"] is JsonObject, $"{queue} is not encrypted with the cell's key");
            yield return Unless(TlsOnly(all, queue, "AWS::SQS::QueuePolicy", "Queues"), $"{queue} can be used without TLS");
        }
    }

    private static IEnumerable<string> Topics(Templates all)
    {
        foreach (var topic in Some(all, "AWS::SNS::Topic"))
        {
            yield return Unless(topic.Properties["KmsMasterKeyId"] is JsonObject, $"{topic} is not encrypted with the cell's key");
            yield return Unless(TlsOnly(all, topic, "AWS::SNS::TopicPolicy", "Topics"), $"{topic} can be used without TLS");
        }
    }

    private static IEnumerable<string> PublicSubnets(Templates all)
    {
        var open = all.Of("AWS::EC2::Subnet").Where(each => Tag(each, "aws-cdk:subnet-type") == "Public").ToList();
        yield return Unless(open.Count == 3, "there are three public subnets");
        foreach (var subnet in all.Of("AWS::EC2::Subnet"))
        {
            yield return Unless(!Is(subnet, "MapPublicIpOnLaunch", "true"), $"{subnet} gives public addresses");
        }

        foreach (var user in all.All())
        {
            var inside = Templates.Below(user.Properties)
                .Any(node => all.Named(user, node) is { } named && open.Any(subnet => subnet.Id == named.Id));
            yield return Unless(
                !inside || user.Type is "AWS::EC2::NatGateway" or "AWS::EC2::SubnetRouteTableAssociation"
                || (user.Type == "AWS::ElasticLoadBalancingV2::LoadBalancer" && Is(user, "Type", "application")),
                    $"{user} is in a public subnet");
            yield return Unless(
                !Templates.Strings(user.Properties).Contains("DefaultSecurityGroup", StringComparer.Ordinal),
                    $"{user} uses the default security group");
        }

        foreach (var service in all.Of("AWS::ECS::Service"))
        {
            var where = service.Properties["NetworkConfiguration"]?["AwsvpcConfiguration"];
            yield return Unless(where?["AssignPublicIp"] is null
                || where["AssignPublicIp"]!.ToString() == "DISABLED", $"{service} has public addresses");
        }
    }

    private static IEnumerable<string> FlowLogs(Templates all)
    {
        yield return Unless(
            all.Of("AWS::EC2::FlowLog").Any(each => Is(each, "TrafficType", "ALL")
                && all.Named(each, each.Properties["ResourceId"])?.Type == "AWS::EC2::VPC"),
            "the network has no flow log of all traffic");
    }

    private static IEnumerable<string> Endpoints(Templates all)
    {
        var names = all.Of("AWS::EC2::VPCEndpoint").Select(each => string.Concat(Templates.Strings(each.Properties["ServiceName"])))
            .ToList();
        foreach (var needed in new[] { ".ecr.api", ".ecr.dkr", ".logs", ".kms", ".secretsmanager", ".sqs", ".s3" })
        {
            yield return Unless(names.Any(name => name.EndsWith(needed, StringComparison.Ordinal)),
                $"there is no endpoint of {needed[1..]}");
        }

        // A subnet without a way out is one whose route table has no default route.
        var inside = all.Of("AWS::EC2::Subnet").Where(each => Tag(each, "aws-cdk:subnet-type") == "Isolated").Select(each => each.Id)
            .ToList();
        yield return Unless(inside.Count == 3, "there are three subnets without a way out");
        var tables = all.Of("AWS::EC2::SubnetRouteTableAssociation")
            .Where(each => inside.Contains(all.Named(each, each.Properties["SubnetId"])?.Id ?? ""))
            .Select(each => all.Named(each, each.Properties["RouteTableId"])?.Id).ToList();
        yield return Unless(
            !all.Of("AWS::EC2::Route").Any(each => tables.Contains(all.Named(each, each.Properties["RouteTableId"])?.Id)),
                "a subnet without a way out has one");
    }

    private static IEnumerable<string> Database(Templates all)
    {
        foreach (var database in Some(all, "AWS::RDS::DBInstance"))
        {
            foreach (var (property, value, wrong) in new[]
            {
                ("StorageEncrypted", "true", "is not encrypted"), ("MultiAZ", "true", "is in one zone"),
                    ("DeletionProtection", "true", "can be deleted"),
                ("PubliclyAccessible", "false", "is on the internet"), ("EnableIAMDatabaseAuthentication", "true", "knows no roles of AWS"),
                ("ManageMasterUserPassword", "true", "has a password of somebody's"),
                    ("DeleteAutomatedBackups", "false", "takes its backups with it"),
            })
            {
                yield return Unless(Is(database, property, value), $"{database} {wrong}");
            }

            yield return Unless(database.Properties["KmsKeyId"] is JsonObject, $"{database} is not encrypted with the cell's key");
            yield return Unless(Number(database, "BackupRetentionPeriod") >= 14, $"{database} is kept for less than 14 days");
            var parameters = all.Named(database, database.Properties["DBParameterGroupName"]);
            yield return Unless(parameters?.Properties["Parameters"]?["rds.force_ssl"]?.ToString() == "1",
                $"{database} speaks without TLS");
        }
        foreach (var task in Tasks(all))
        {
            foreach (var name in new[] { "Database__App", "Database__System", "Database__Owner" })
            {
                var text = string.Concat(Templates.Strings(Environment(task, name)));
                yield return Unless(text.Length == 0 || text.Contains("SSL Mode=VerifyFull", StringComparison.Ordinal),
                    $"{task} does not check the database's certificate");
            }
        }
    }

    private static IEnumerable<string> Kept(Templates all)
    {
        foreach (var resource in all.Of(
            "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::SQS::Queue",
                "AWS::Backup::BackupVault",
            "AWS::ECR::Repository", "AWS::EC2::VPCEndpointService", "AWS::RDS::DBInstance"))
        {
            var wanted = resource.Type == "AWS::RDS::DBInstance" ? "Snapshot" : "Retain";
            yield return Unless(
                resource.Whole["DeletionPolicy"]?.ToString() == wanted
                    && resource.Whole["UpdateReplacePolicy"]?.ToString() == wanted, $"{resource} goes with its stack");
        }
    }

    private static IEnumerable<string> Backups(Templates all)
    {
        var rules = all.Of("AWS::Backup::BackupPlan").SelectMany(plan => plan.Properties["BackupPlan"]!["BackupPlanRule"]!.AsArray())
            .ToList();
        yield return Unless(rules.Count > 0, "there is no backup plan");
        foreach (var rule in rules)
        {
            yield return Unless(rule!["CopyActions"] is JsonArray { Count: > 0 } copies
                && copies.All(copy => copy!["DestinationBackupVaultArn"] is JsonObject), "backups are not copied elsewhere");
            yield return Unless(int.Parse(rule["Lifecycle"]?["DeleteAfterDays"]?.ToString() ?? "0", CultureInfo.InvariantCulture) >= 14,
                "backups are kept for less than 14 days");
        }

        yield return Unless(
            all.Of("AWS::Backup::BackupSelection").Any(each =>
                Templates.Below(each.Properties).Any(node => all.Named(each, node)?.Type == "AWS::RDS::DBInstance")),
            "the database is not in the backup plan");
    }

    private static IEnumerable<string> Keys(Templates all)
    {
        foreach (var key in Some(all, "AWS::KMS::Key"))
        {
            yield return Unless(Is(key, "EnableKeyRotation", "true"), $"{key} does not rotate");
            foreach (var statement in key.Properties["KeyPolicy"]!["Statement"]!.AsArray().OfType<JsonObject>().Where(Allows))
            {
                var account = Templates.Strings(statement["Principal"]?["AWS"])
                    .Any(text => text.EndsWith(":root", StringComparison.Ordinal));
                yield return Unless(!Principals(statement).Contains("*"), $"{key} is everybody's");
                yield return Unless(account || statement["Condition"] is not null,
                    $"{key}: a service of AWS may use it for other accounts");
            }
        }
    }

    private static IEnumerable<string> NoSecrets(Templates all)
    {
        foreach (var secret in Some(all, "AWS::SecretsManager::Secret"))
        {
            yield return Unless(secret.Properties["GenerateSecretString"] is JsonObject
                && secret.Properties["SecretString"] is null, $"{secret} is written in the template");
        }
        foreach (var resource in all.All())
        {
            foreach (var text in Templates.Strings(resource.Properties))
            {
                yield return Unless(!SecretText().IsMatch(text), $"{resource} holds a secret: {Shortened(SecretText().Match(text).Value)}");
            }
        }

        foreach (var (task, container) in Tasks(all).SelectMany(task => Containers(task).Select(container => (task, container))))
        {
            // Those of a condition as well.
            foreach (var name in Templates.Below(container["Environment"]).OfType<JsonObject>()
                .Select(each => each["Name"]?.ToString() ?? ""))
            {
                yield return Unless(
                    !SecretName().IsMatch(name) || name.EndsWith("File", StringComparison.Ordinal)
                        || name.EndsWith("KmsKeyArn", StringComparison.Ordinal),
                    $"{task}: {name} stands in the environment");
            }
        }

        foreach (var parameter in all.Stacks.SelectMany(stack => stack.Value["Parameters"]?.AsObject() ?? []))
        {
            yield return Unless(
                !SecretName().IsMatch(parameter.Key) || parameter.Key.EndsWith("Arn", StringComparison.Ordinal),
                    $"the parameter {parameter.Key} is a secret");
        }
    }

    private static IEnumerable<string> LeastPrivilege(Templates all)
    {
        foreach (var (resource, statement) in all.Statements().Where(each => Allows(each.Statement)))
        {
            var actions = Templates.Strings(statement["Action"]);
            // By it an account keeps the right to its own key (AWS KMS, default key policy).
            var own = resource.Type == "AWS::KMS::Key" && actions is ["kms:*"]
                && Templates.Strings(statement["Principal"]).Any(text => text.EndsWith(":root", StringComparison.Ordinal));
            yield return Unless(own || !actions.Any(action => action.Contains('*', StringComparison.Ordinal)),
                $"{resource} may do {string.Join(' ', actions)}");
            yield return Unless(statement["NotAction"] is null && statement["NotResource"] is null, $"{resource} may do everything else");
            yield return Unless(
                resource.Type == "AWS::KMS::Key" || !Templates.Strings(statement["Resource"]).Contains("*", StringComparer.Ordinal)
                || actions.All(action => _withoutResource.Contains(action, StringComparer.Ordinal)),
                    $"{resource} may {string.Join(' ', actions)} everything");
        }

        var roles = Tasks(all).Select(task => all.Named(task, task.Properties["TaskRoleArn"])?.Id).ToList();
        yield return Unless(roles.Distinct().Count() == roles.Count && !roles.Contains(null), "two services have one role");
    }

    private static IEnumerable<string> NoUsers(Templates all)
    {
        foreach (var user in all.Of("AWS::IAM::User", "AWS::IAM::AccessKey", "AWS::IAM::Group"))
        {
            yield return $"{user} is a person's";
        }

        foreach (var role in Some(all, "AWS::IAM::Role"))
        {
            yield return Unless(role.Properties["ManagedPolicyArns"] is null, $"{role} has what others decide");
        }
    }

    private static IEnumerable<string> ConfusedDeputy(Templates all)
    {
        foreach (var (resource, statement) in all.Statements()
            .Where(each => Allows(each.Statement) && each.Resource.Type != "AWS::KMS::Key"))
        {
            foreach (var service in Templates.Strings(statement["Principal"]?["Service"])
                .Where(service => !_withoutSource.Contains(service, StringComparer.Ordinal)))
            {
                yield return Unless(FromHere(statement), $"{resource} does {service}'s will in anybody's name");
            }

            yield return Unless(statement["Principal"]?["AWS"] is null, $"{resource} trusts another account");
        }
    }

    private static IEnumerable<string> Boundary(Templates all)
    {
        foreach (var role in Some(all, "AWS::IAM::Role"))
        {
            yield return Unless(
                all.Parameter(role.Stack, role.Properties["PermissionsBoundary"]) is { } parameter
                    && parameter["Default"] is null, $"{role} has no boundary");
        }
    }

    private static IEnumerable<string> Confinement(Templates all)
    {
        foreach (var task in Some(all, "AWS::ECS::TaskDefinition"))
        {
            yield return Unless(task.Properties["PidMode"] is null && task.Properties["IpcMode"] is null
                && Is(task, "NetworkMode", "awsvpc"), $"{task} shares namespaces");
            foreach (var container in Containers(task))
            {
                var name = $"{task}: {container["Name"]}";
                yield return Unless(container["User"]?.ToString() is { } user && !user.StartsWith('0')
                    && user != "root", $"{name} is root");
                yield return Unless(container["ReadonlyRootFilesystem"]?.ToString() == "true", $"{name} can change its own programs");
                yield return Unless(container["Privileged"]?.ToString() is null or "false", $"{name} is privileged");
                var capabilities = container["LinuxParameters"]?["Capabilities"];
                yield return Unless(Templates.Strings(capabilities?["Drop"]) is ["ALL"], $"{name} keeps capabilities");
                var hosts = task.Id.StartsWith("WorkerTask", StringComparison.Ordinal) && container["Name"]!.ToString() == "worker";
                yield return Unless(
                    Templates.Strings(capabilities?["Add"]).All(add => hosts && add is "SETUID" or "SETGID"), $"{name} gets capabilities");
            }
        }
        foreach (var service in all.Of("AWS::ECS::Service"))
        {
            yield return Unless(Is(service, "EnableExecuteCommand", "false"), $"{service} can be entered");
        }

        foreach (var template in all.Of("AWS::EC2::LaunchTemplate"))
        {
            var data = template.Properties["LaunchTemplateData"]!;
            yield return Unless(
                data["MetadataOptions"]?["HttpTokens"]?.ToString() == "required"
                    && data["MetadataOptions"]?["HttpPutResponseHopLimit"]?.ToString() == "1",
                $"{template} gives its role to whoever asks");
            yield return Unless(
                data["BlockDeviceMappings"] is JsonArray { Count: > 0 } disks
                    && disks.All(disk => disk!["Ebs"]?["Encrypted"]?.ToString() == "true"), $"{template} has disks in the clear");
        }
    }

    private static IEnumerable<string> Images(Templates all)
    {
        foreach (var task in Some(all, "AWS::ECS::TaskDefinition"))
        {
            foreach (var container in Containers(task))
            {
                var image = container["Image"];
                var digest = Templates.Below(image).Select(node => all.Parameter(task.Stack, node))
                    .FirstOrDefault(parameter => parameter is not null);
                yield return Unless(
                    string.Concat(Templates.Strings(image)).Contains('@', StringComparison.Ordinal)
                    && digest?["AllowedPattern"]?.ToString() == "^sha256:[0-9a-f]{64}$"
                        && digest["Default"] is null, $"{task}: {container["Name"]} is not named by a digest");
            }
        }
        foreach (var repository in Some(all, "AWS::ECR::Repository"))
        {
            yield return Unless(Is(repository, "ImageTagMutability", "IMMUTABLE"), $"{repository}: a tag can become another image");
            yield return Unless(repository.Properties["ImageScanningConfiguration"]?["ScanOnPush"]?.ToString() == "true",
                $"{repository} does not scan");
        }
    }

    private static IEnumerable<string> Logs(Templates all)
    {
        foreach (var group in Some(all, "AWS::Logs::LogGroup"))
        {
            yield return Unless(Number(group, "RetentionInDays") > 0, $"{group} is kept for ever");
            yield return Unless(group.Properties["KmsKeyId"] is JsonObject, $"{group} is not encrypted with the cell's key");
        }
        foreach (var (task, container) in Tasks(all).SelectMany(task => Containers(task).Select(container => (task, container))))
        {
            yield return Unless(container["LogConfiguration"]?["LogDriver"]?.ToString() == "awslogs",
                $"{task}: {container["Name"]} logs nowhere");
        }

        foreach (var cluster in all.Of("AWS::ECS::Cluster"))
        {
            yield return Unless(
                Templates.Strings(cluster.Properties["ClusterSettings"]) is var settings && settings.Contains("containerInsights")
                    && settings.Contains("enabled"),
                $"{cluster} has no Container Insights");
        }
    }

    private static IEnumerable<string> Buckets(Templates all)
    {
        foreach (var bucket in Some(all, "AWS::S3::Bucket"))
        {
            var block = bucket.Properties["PublicAccessBlockConfiguration"];
            foreach (var property in new[] { "BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets" })
            {
                yield return Unless(block?[property]?.ToString() == "true", $"{bucket} lacks {property}");
            }

            yield return Unless(bucket.Properties["BucketEncryption"] is not null, $"{bucket} is not encrypted");
            yield return Unless(bucket.Properties["VersioningConfiguration"]?["Status"]?.ToString() == "Enabled",
                $"{bucket} forgets what is overwritten");
            yield return Unless(bucket.Properties["LifecycleConfiguration"] is not null, $"{bucket} keeps everything");
            yield return Unless(TlsOnly(all, bucket, "AWS::S3::BucketPolicy", "Bucket"), $"{bucket} can be used without TLS");
        }
    }

    private static IEnumerable<string> AccessLogs(Templates all)
    {
        foreach (var each in all.Of("AWS::ElasticLoadBalancingV2::LoadBalancer").Where(each => Is(each, "Type", "application")))
        {
            yield return Unless(Attribute(each, "LoadBalancerAttributes", "access_logs.s3.enabled") == "true", $"{each} has no access log");
        }
    }

    private static IEnumerable<string> Page(Templates all)
    {
        var balancer = all.Of("AWS::ElasticLoadBalancingV2::LoadBalancer").SingleOrDefault(each => Is(each, "Type", "application"));
        yield return Unless(balancer is not null, "there is a registration page");
        foreach (var listener in all.Of("AWS::ElasticLoadBalancingV2::Listener")
            .Where(each => all.Named(each, each.Properties["LoadBalancerArn"])?.Id == balancer?.Id))
        {
            var action = listener.Properties["DefaultActions"]![0]!;
            var redirect = action["Type"]?.ToString() == "redirect" && action["RedirectConfig"]?["Protocol"]?.ToString() == "HTTPS";
            var tls = Is(listener, "Protocol", "HTTPS")
                && listener.Properties["SslPolicy"]?.ToString()
                .StartsWith("ELBSecurityPolicy-TLS13-1-2-", StringComparison.Ordinal) == true;
            yield return Unless(redirect || tls, $"{listener} serves without TLS 1.2");
        }

        var walls = all.Of("AWS::WAFv2::WebACLAssociation")
            .Where(each => all.Named(each, each.Properties["ResourceArn"])?.Id == balancer?.Id).ToList();
        yield return Unless(walls.Count == 1, "the registration page has no firewall");
        foreach (var rule in all.Of("AWS::WAFv2::WebACL").SelectMany(wall => wall.Properties["Rules"]!.AsArray()))
        {
            yield return Unless(rule!["OverrideAction"]?["Count"] is null
                && rule["Action"]?["Count"] is null, $"the firewall only counts: {rule["Name"]}");
        }

        yield return Unless(
            Attribute(balancer!, "LoadBalancerAttributes", "routing.http.drop_invalid_header_fields.enabled") == "true",
                "headers that are none reach the page");
    }

    private static IEnumerable<string> OperatorListener(Templates all)
    {
        foreach (var (group, rule) in Ingress(all).Where(each => each.Rule["FromPort"]?.ToString() == "9443"))
        {
            yield return Unless(Source(all, rule) == "Staff" && group == "Api", "others than staff reach the operator API");
        }

        foreach (var each in all.Of("AWS::ElasticLoadBalancingV2::TargetGroup", "AWS::ElasticLoadBalancingV2::Listener"))
        {
            yield return Unless(!Is(each, "Port", "9443"), $"{each} leads to the operator API");
        }

        foreach (var service in all.Of("AWS::ECS::Service"))
        {
            yield return Unless(
                service.Properties["LoadBalancers"]?.AsArray().All(each => each!["ContainerPort"]?.ToString() != "9443") ?? true,
                    $"{service} shows the operator API");
        }
    }

    private static IEnumerable<string> Services(Templates all)
    {
        foreach (var service in Some(all, "AWS::ECS::Service"))
        {
            var deployment = service.Properties["DeploymentConfiguration"];
            yield return Unless(Number(service, "DesiredCount") >= 2, $"{service} has one process");
            yield return Unless(
                deployment?["DeploymentCircuitBreaker"]?["Enable"]?.ToString() == "true"
                    && deployment["DeploymentCircuitBreaker"]?["Rollback"]?.ToString() == "true",
                $"{service} does not go back");
            yield return Unless(deployment?["MinimumHealthyPercent"]?.ToString() == "100", $"{service} has fewer while it is renewed");
            yield return Unless(
                service.Properties["NetworkConfiguration"]?["AwsvpcConfiguration"]?["Subnets"]?.AsArray().Count >= 2,
                    $"{service} is in one zone");
        }
        foreach (var scale in Some(all, "AWS::ApplicationAutoScaling::ScalableTarget"))
        {
            yield return Unless(Number(scale, "MinCapacity") >= 2, $"{scale} goes below two");
        }
        yield return Unless(
            all.Of("AWS::CloudWatch::Alarm").Count(each => each.Stack == "services"
                && Is(each, "MetricName", "netautomation.queue.oldest")) == 4,
            "workers do not follow the queue");
    }

    private static IEnumerable<string> Alarms(Templates all)
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operating.md"));
        var alarms = all.Of("AWS::CloudWatch::Alarm").Where(each => each.Stack == "watch").ToList();
        foreach (var needed in new[]
        {
            "server-errors", "slow-answers", "queue-age", "metering-lag", "books", "dead-letters", "ports", "unhealthy-customers",
                "unhealthy-connectors",
            "unhealthy-registration", "certificate", "page-certificate", "database-storage",
        })
        {
            yield return Unless(alarms.Any(alarm => Section(alarm) == needed), $"there is no alarm {needed}");
        }

        foreach (var alarm in alarms)
        {
            yield return Unless(text.Contains($"\n### {Section(alarm)}\n", StringComparison.Ordinal),
                $"{alarm}: docs/operating.md has no section {Section(alarm)}");
            yield return Unless(
                alarm.Properties["AlarmActions"] is JsonArray { Count: > 0 } actions
                    && all.Named(alarm, actions[0])?.Type == "AWS::SNS::Topic", $"{alarm} tells nobody");
            var metric = alarm.Properties["MetricName"]!.ToString();
            if (alarm.Properties["Namespace"]!.ToString().StartsWith("NetAutomation/", StringComparison.Ordinal))
            {
                yield return Unless(text.Contains($"| `{metric}` |", StringComparison.Ordinal),
                    $"{alarm}: docs/operating.md has no instrument {metric}");
                var labels = alarm.Properties["Dimensions"]?.AsArray().Select(label => label!["Name"]!.ToString()) ?? [];
                var declared = $"{{dimensions: [[{string.Join(", ", labels)}]], "
                    + $"metric_name_selectors: ['^{metric.Replace(".", "\\.", StringComparison.Ordinal)}$']}}";
                yield return Unless(
                    Tasks(all).Where(task => Environment(task, "Roles__0") is not null).All(task =>
                        string.Concat(Templates.Strings(Environment(task, "AOT_CONFIG_CONTENT")))
                            .Contains(declared, StringComparison.Ordinal)),
                    $"{alarm}: the collector does not send {metric} so");
            }
        }

        foreach (Match section in AlarmSection().Matches(text[Math.Max(0, text.IndexOf("\n## Alarms\n", StringComparison.Ordinal))..]))
        {
            var name = section.Groups["name"].Value;
            yield return Unless(alarms.Any(alarm => Section(alarm) == name),
                $"docs/operating.md tells of an alarm {name} that there is not");
        }
    }

    private static IEnumerable<string> Account(Templates all)
    {
        foreach (var type in new[] { "AWS::GuardDuty::Detector", "AWS::AccessAnalyzer::Analyzer" })
        {
            yield return Unless(all.Of(type).Any(), $"there is no {type}");
        }

        yield return Unless(
            all.Stacks["watch"]["Parameters"]?["AccountGuards"]?["Default"]?.ToString() == "here",
                "guards of the account are left out unless asked for");
    }

    private static IEnumerable<string> Costs(Templates all)
    {
        foreach (var resource in all.Of(
            "AWS::EC2::VPC", "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::RDS::DBInstance", "AWS::ECS::Cluster",
                "AWS::ECS::Service", "AWS::KMS::Key",
            "AWS::SQS::Queue", "AWS::S3::Bucket", "AWS::Logs::LogGroup"))
        {
            yield return Unless(Tag(resource, "cell") is not null
                && Tag(resource, "service") == "netautomation", $"{resource}: nobody knows whose costs it makes");
        }

        foreach (var budget in Some(all, "AWS::Budgets::Budget"))
        {
            yield return Unless(budget.Properties["NotificationsWithSubscribers"] is JsonArray { Count: >= 2 }, $"{budget} tells nobody");
        }
    }

    private static IEnumerable<string> Migration(Templates all)
    {
        var owners = Tasks(all).Where(task => Templates.Strings(task.Properties)
            .Any(text => text.Contains("Database__Owner", StringComparison.Ordinal))).ToList();
        yield return Unless(owners is [var only]
            && only.Stack == "schema", "others than the migration, which is deployed before the services, own the schema");
        yield return Unless(
            owners.Count == 1 && Containers(owners[0]).Count() == 1
                && Templates.Strings(Containers(owners[0]).Single()["Command"]).Single().EndsWith(" migrate", StringComparison.Ordinal),
            "the migration does not migrate");
        yield return Unless(
            !all.Of("AWS::ECS::Service").Any(service =>
                owners.Any(owner => all.Named(service, service.Properties["TaskDefinition"])?.Id == owner.Id)),
                "the migration is a service");
        yield return Unless(all.Stacks["schema"]["Outputs"]?["MigrateCommand"] is not null, "nobody is told how to migrate");
    }

    private static IEnumerable<string> Marketplace(Templates all)
    {
        var actions = all.Statements().Where(each => Allows(each.Statement))
            .SelectMany(each => Templates.Strings(each.Statement["Action"]).Select(action => (each.Resource, Action: action)))
            .Where(each => each.Action.StartsWith("aws-marketplace:", StringComparison.Ordinal)).ToList();
        foreach (var (resource, action) in actions)
        {
            var whose = action == "aws-marketplace:ResolveCustomer" ? "Api" : "Scheduler";
            yield return Unless(_marketplace.Contains(action, StringComparer.Ordinal)
                && resource.Id.StartsWith(whose, StringComparison.Ordinal), $"{resource} may do {action}");
        }

        yield return Unless(actions.Count == 3, "the service cannot sell through AWS Marketplace");
        yield return Unless(
            all.Of("AWS::Events::Rule").Any(rule => Templates.Strings(rule.Properties["EventPattern"])
                .Contains("aws.agreement-marketplace", StringComparer.Ordinal)
                && rule.Properties["Targets"]!.AsArray().All(target => target!["DeadLetterConfig"] is not null)),
                    "events of agreements do not come");
        yield return Unless(all.Stacks["services"]["Parameters"]?["ProductCode"] is not null, "the product cannot be chosen");
    }

    private static string Shortened(string secret) => secret.Length > 9 ? secret[..9] + "..." : secret;

    private static string Section(Resource alarm) => alarm.Properties["AlarmDescription"]!.ToString().Split('#')[^1];

    private static string Unless(bool right, string wrong) => right ? "" : wrong;

    /// <exception cref="InvalidDataException">There is none, of which the line says how it has to be.</exception>
    private static List<Resource> Some(Templates all, string type) =>
        all.Of(type).ToList() is { Count: > 0 } some ? some : throw new InvalidDataException($"there is no {type}");

    private static bool Is(Resource resource, string property, string value) => resource.Properties[property]?.ToString() == value;

    private static double? Number(Resource resource, string property) =>
        resource.Properties[property] is JsonValue value
            && double.TryParse(value.ToString(), CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string? Attribute(Resource resource, string property, string key) =>
        resource.Properties[property]?.AsArray().SingleOrDefault(each => each!["Key"]!.ToString() == key)?["Value"]?.ToString();

    private static string? Tag(Resource resource, string key) => resource.Properties["Tags"] switch
    {
        JsonArray tags => tags.FirstOrDefault(tag => tag!["Key"]?.ToString() == key)?["Value"]?.ToString(),
        JsonObject tags => tags[key]?.ToString(),
        _ => null,
    };

    private static bool Allows(JsonObject statement) => statement["Effect"]!.ToString() == "Allow";

    private static IReadOnlyList<string> Principals(JsonObject statement) => Templates.Strings(statement["Principal"]);

    private static bool FromHere(JsonObject statement) =>
        statement["Condition"]?["StringEquals"]?["aws:SourceAccount"]?["Ref"]?.ToString() == "AWS::AccountId"
        && statement["Condition"]?["ArnLike"]?["aws:SourceArn"] is { } source && !Templates.Strings(source).SequenceEqual(["*"]);

    private static bool TlsOnly(Templates all, Resource resource, string policyType, string property) => all.Of(policyType)
        .Where(policy => Templates.Below(policy.Properties[property]).Any(node => all.Named(policy, node)?.Id == resource.Id))
        .Any(policy => policy.Properties["PolicyDocument"]!["Statement"]!.AsArray().Any(statement =>
            statement!["Effect"]!.ToString() == "Deny" && statement["Condition"]?["Bool"]?["aws:SecureTransport"]?.ToString() == "false"));

    private static IEnumerable<Resource> Tasks(Templates all) => all.Of("AWS::ECS::TaskDefinition");

    private static IEnumerable<JsonObject> Containers(Resource task) =>
        task.Properties["ContainerDefinitions"]!.AsArray().OfType<JsonObject>();

    private static JsonNode? Environment(Resource task, string name) => Containers(task)
        .SelectMany(container => container["Environment"]?.AsArray().OfType<JsonObject>() ?? [])
            .FirstOrDefault(each => each["Name"]?.ToString() == name)?["Value"];

    /// <summary>The security group of a value by its name in this checklist: its logical id without what the framework puts behind
    /// it.</summary>
    private static string? Group(Templates all, Resource from, JsonNode? value) =>
        all.Named(from, value) is { Type: "AWS::EC2::SecurityGroup" } group
        ? GroupName().Match(group.Id).Value : null;

    private static IEnumerable<(string? Group, JsonObject Rule)> Ingress(Templates all) =>
        all.Of("AWS::EC2::SecurityGroup").SelectMany(group =>
            (group.Properties["SecurityGroupIngress"]?.AsArray().OfType<JsonObject>() ?? [])
            .Select(rule => ((string?)GroupName().Match(group.Id).Value, rule)))
        .Concat(all.Of("AWS::EC2::SecurityGroupIngress").Select(rule => (Group(all, rule, rule.Properties["GroupId"]), rule.Properties)));

    private static string? Source(Templates all, JsonObject rule) => all.Stacks.Keys
        .Select(stack => Group(all, new Resource(stack, "", []), rule["SourceSecurityGroupId"])).FirstOrDefault(name => name is not null);

    [GeneratedRegex("AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|(?i:password)=[^\\s;\"']+|nop_[0-9a-f]{20}|nak_[A-Za-z0-9]{20}",
        RegexOptions.NonBacktracking)]
    private static partial Regex SecretText();

    [GeneratedRegex("(?i)password|secret|token|credential|key", RegexOptions.NonBacktracking)]
    private static partial Regex SecretName();

    [GeneratedRegex("^(LoadBalancer|Page|Api|Worker|Scheduler|Migrate|Database|Endpoints|Staff|Hosts)",
        RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex GroupName();

    [GeneratedRegex("^### (?<name>[a-z-]+)$", RegexOptions.Multiline | RegexOptions.NonBacktracking)]
    private static partial Regex AlarmSection();
}
