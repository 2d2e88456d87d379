using System.Text.Json.Nodes;

namespace NetAutomation.Deployment;

/// <summary>One careless change of a template, and the line of the checklist that has to see it.</summary>
/// <param name="Name">What somebody did.</param>
internal sealed record Flip(int Line, string Name, Action<Templates> Do)
{
    public override string ToString() => $"line {Line}: {Name}";
}

/// <summary>Careless changes of properties that security hangs on.</summary>
internal static class Flips
{
    private const string Balancer = "AWS::ElasticLoadBalancingV2::LoadBalancer", Targets = "AWS::ElasticLoadBalancingV2::TargetGroup",
        Listener = "AWS::ElasticLoadBalancingV2::Listener", Database = "AWS::RDS::DBInstance", Role = "AWS::IAM::Role",
            Task = "AWS::ECS::TaskDefinition",
        Service = "AWS::ECS::Service", Bucket = "AWS::S3::Bucket", Queue = "AWS::SQS::Queue", Alarm = "AWS::CloudWatch::Alarm";

    public static readonly IReadOnlyList<Flip> All =
    [
        Set(1, "acceptance off", "AWS::EC2::VPCEndpointService", "", "AcceptanceRequired", false),
        new(1, "the queue is everybody's", all => Statement(all, "AWS::SQS::QueuePolicy", "Notices")["Principal"] = "*"),
        new(1, "everybody may find the service", all => Add(all, "edge", "Everybody", "AWS::EC2::VPCEndpointServicePermissions")),
        Set(2, "load balancer on the internet", Balancer, "LoadBalancer", "Scheme", "internet-facing"),
        Attribute(2, "no crossing of zones", Balancer, "LoadBalancer", "LoadBalancerAttributes", "load_balancing.cross_zone.enabled",
            "false"),
        Attribute(2, "load balancer can be deleted", Balancer, "LoadBalancer", "LoadBalancerAttributes", "deletion_protection.enabled",
            "false"),
        new(2, "load balancer in one zone", all => Trim(all.One(Balancer, "LoadBalancer").Properties["Subnets"]!)),
        Attribute(3, "no PROXY header for customers", Targets, "Customers", "TargetGroupAttributes", "proxy_protocol_v2.enabled", "false"),
        Attribute(3, "no PROXY header for connectors", Targets, "Connectors", "TargetGroupAttributes", "proxy_protocol_v2.enabled",
            "false"),
        Attribute(3, "connections cut", Targets, "Customers", "TargetGroupAttributes",
            "deregistration_delay.connection_termination.enabled", "true"),
        Set(3, "targets are instances", Targets, "Customers", "TargetType", "instance"),
        Set(3, "health of another port", Targets, "Connectors", "HealthCheckPort", "80"),
        new(4, "load balancer without a group", all => all.One(Balancer, "LoadBalancer").Properties.Remove("SecurityGroups")),
        new(4, "the page opens SSH", all => Rules(all, "Page").Add(Open(22))),
        new(4, "the API is open", all => Rules(all, "Api").Add(Open(8443))),
        new(4, "the database is open", all => Rules(all, "Database").Add(Open(5432))),
        new(4, "the page reaches the database", all => IngressOf(all, "Database").Properties["SourceSecurityGroupId"] = Ref(all, "Page")),
        new(5, "no Regions to choose", all => all.One("AWS::EC2::VPCEndpointService").Properties.Remove("SupportedRegions")),
        new(5, "a fixed name", all => Variable(all, "ApiTask", "Edge__ServerName")["Value"] = "api.example.net"),
        new(6, "notices of new connections only", all =>
            all.One("AWS::EC2::VPCEndpointConnectionNotification").Properties["ConnectionEvents"] = new JsonArray("Connect")),
        new(6, "notices of every account", all => Statement(all, "AWS::SNS::TopicPolicy", "NoticeTopic").Remove("Condition")),
        new(6, "nobody has the notices", all => Remove(all, "AWS::SNS::Subscription", "NoticeSubscription")),
        new(7, "no dead letters", all => all.One(Queue, "Notices").Properties.Remove("RedrivePolicy")),
        new(7, "queue in the clear", all => all.One(Queue, "Events").Properties.Remove("KmsMasterKeyId")),
        new(7, "queue without TLS", all => Remove(all, "AWS::SQS::QueuePolicy", "EventsPolicy")),
        new(8, "topic in the clear", all => all.One("AWS::SNS::Topic", "NoticeTopic").Properties.Remove("KmsMasterKeyId")),
        new(8, "topic without TLS", all => Deny(all, "AWS::SNS::TopicPolicy", "AlarmTopic")["Effect"] = "Allow"),
        new(9, "public addresses in a subnet", all => all.Of("AWS::EC2::Subnet").First().Properties["MapPublicIpOnLaunch"] = true),
        new(9, "workers with public addresses", all => Vpc(all, "PlainWorkerService")["AssignPublicIp"] = "ENABLED"),
        new(9, "the database in public subnets", all => all.One("AWS::RDS::DBSubnetGroup").Properties["SubnetIds"] =
            all.One(Balancer, "PageBalancer").Properties["Subnets"]!.DeepClone()),
        Set(10, "flow log of rejects only", "AWS::EC2::FlowLog", "", "TrafficType", "REJECT"),
        new(11, "a way out for workers", all => Default(all)),
        new(11, "no endpoint of KMS", all => Remove(all, "AWS::EC2::VPCEndpoint", "VpcKms")),
        Set(12, "database on the internet", Database, "", "PubliclyAccessible", true),
        Set(12, "database in the clear", Database, "", "StorageEncrypted", false),
        Set(12, "database in one zone", Database, "", "MultiAZ", false),
        Set(12, "database can be deleted", Database, "", "DeletionProtection", false),
        Set(12, "one day of backups", Database, "", "BackupRetentionPeriod", 1),
        new(12, "database without TLS", all => all.One("AWS::RDS::DBParameterGroup").Properties["Parameters"]!["rds.force_ssl"] = "0"),
        new(12, "the database's certificate is not looked at", all =>
            Replace(Variable(all, "ApiTask", "Database__App"), "VerifyFull", "Require")),
        new(13, "database goes with its stack", all => all.One(Database).Whole["DeletionPolicy"] = "Delete"),
        new(13, "tenants' key goes with its stack", all => all.One("AWS::KMS::Key", "TenantKey").Whole.Remove("DeletionPolicy")),
        new(14, "no copy elsewhere", all => Rule(all).Remove("CopyActions")),
        new(14, "backups of a week", all => Rule(all)["Lifecycle"]!["DeleteAfterDays"] = 7),
        new(14, "the database is not backed up", all => Remove(all, "AWS::Backup::BackupSelection", "")),
        Set(16, "key does not rotate", "AWS::KMS::Key", "TenantKey", "EnableKeyRotation", false),
        new(16, "key is everybody's", all => all.One("AWS::KMS::Key", "TenantKey")
            .Properties["KeyPolicy"]!["Statement"]![0]!["Principal"] = new JsonObject { ["AWS"] = "*" }),
        new(16, "key for senders of every account", all =>
            all.Of("AWS::KMS::Key").Single(key => key.Stack == "events").Properties["KeyPolicy"]!["Statement"]![1]!.AsObject()
            .Remove("Condition")),
        new(17, "password in the connection", all =>
            Replace(Variable(all, "ApiTask", "Database__App"), "Passfile=/var/lib/netautomation/pgpass", "Password=summer")),
        new(17, "a key in the environment", all =>
            Variables(all, "ApiTask").Add(new JsonObject { ["Name"] = "CLUSTER_KEY", ["Value"] = "0123456789" })),
        new(17, "a secret in the template", all =>
            all.One("AWS::SecretsManager::Secret", "ClusterKey").Properties["SecretString"] = "0123456789"),
        new(19, "every action on a bucket", all => Statement(all, Role, "ApiRole")["Action"] = new JsonArray("s3:*")),
        new(19, "every tenant key", all => Named(all, "ApiRole", "kms:Decrypt")["Resource"] = "*"),
        new(19, "every secret", all => Named(all, "ApiStartRole", "secretsmanager:GetSecretValue")["Resource"] = "*"),
        new(19, "one role for two services", all =>
            all.One(Task, "SchedulerTask").Properties["TaskRoleArn"] = all.One(Task, "ApiTask").Properties["TaskRoleArn"]!.DeepClone()),
        new(20, "a managed policy", all => all.One(Role, "ApiRole")
            .Properties["ManagedPolicyArns"] = new JsonArray("arn:aws:iam::aws:policy/AdministratorAccess")),
        new(20, "a user", all => Add(all, "services", "Somebody", "AWS::IAM::User")),
        new(21, "tasks of every account", all =>
            all.One(Role, "ApiRole").Properties["AssumeRolePolicyDocument"]!["Statement"]![0]!.AsObject().Remove("Condition")),
        new(21, "another account is trusted", all =>
            all.One(Role, "ApiRole").Properties["AssumeRolePolicyDocument"]!["Statement"]![0]!["Principal"]!["AWS"] =
            "arn:aws:iam::111122223333:root"),
        new(22, "a role without a boundary", all => all.One(Role, "WorkerRole").Properties.Remove("PermissionsBoundary")),
        new(23, "a container is root", all => Container(all, "WorkerTask", "worker")["User"] = "0"),
        new(23, "a privileged container", all => Container(all, "WorkerTask", "worker")["Privileged"] = true),
        new(23, "a container can change itself", all => Container(all, "ApiTask", "api")["ReadonlyRootFilesystem"] = false),
        new(23, "capabilities are kept", all => Container(all, "ApiTask", "api")["LinuxParameters"]!["Capabilities"]!.AsObject()
            .Remove("Drop")),
        new(23, "a further capability", all => Container(all, "WorkerTask", "worker")["LinuxParameters"]!["Capabilities"]!["Add"] =
            new JsonArray("SYS_ADMIN")),
        Set(23, "tasks can be entered", Service, "ApiService", "EnableExecuteCommand", true),
        new(23, "the host's role for whoever asks", all =>
            all.One("AWS::EC2::LaunchTemplate").Properties["LaunchTemplateData"]!["MetadataOptions"]!["HttpTokens"] = "optional"),
        new(24, "an image by its tag", all => Container(all, "ApiTask", "api")["Image"] = "netautomation:latest"),
        Set(24, "tags that change", "AWS::ECR::Repository", "Image", "ImageTagMutability", "MUTABLE"),
        new(26, "logs for ever", all => all.One("AWS::Logs::LogGroup", "ApiLogs").Properties.Remove("RetentionInDays")),
        new(26, "a container logs nowhere", all => Container(all, "SchedulerTask", "scheduler").Remove("LogConfiguration")),
        new(27, "a public bucket", all => all.One(Bucket).Properties["PublicAccessBlockConfiguration"]!["BlockPublicPolicy"] = false),
        new(27, "a bucket without TLS", all => Deny(all, "AWS::S3::BucketPolicy", "PageLogs")["Condition"] = new JsonObject()),
        Attribute(28, "no access log", Balancer, "PageBalancer", "LoadBalancerAttributes", "access_logs.s3.enabled", "false"),
        Set(29, "old TLS", Listener, "PageListener", "SslPolicy", "ELBSecurityPolicy-2016-08"),
        new(29, "no firewall", all => Remove(all, "AWS::WAFv2::WebACLAssociation", "")),
        new(29, "a firewall that counts", all =>
            all.One("AWS::WAFv2::WebACL").Properties["Rules"]![0]!["OverrideAction"] = new JsonObject { ["Count"] = new JsonObject() }),
        new(29, "the page without TLS", all => all.One(Listener, "PageRedirect")
            .Properties["DefaultActions"] = all.One(Listener, "PageListener").Properties["DefaultActions"]!.DeepClone()),
        new(30, "customers reach operators", all => all.One(Targets, "Customers").Properties["Port"] = 9443),
        new(30, "the page reaches operators", all => IngressOf(all, "Api", "9443").Properties["SourceSecurityGroupId"] = Ref(all, "Page")),
        Set(31, "one process", Service, "SchedulerService", "DesiredCount", 1),
        new(31, "no way back", all => all.One(Service, "ApiService")
            .Properties["DeploymentConfiguration"]!["DeploymentCircuitBreaker"]!["Rollback"] = false),
        new(31, "workers do not follow the queue", all => Remove(all, Alarm, "WorkerWaits")),
        new(32, "nobody is told", all => all.One(Alarm, "Books").Properties["AlarmActions"] = new JsonArray()),
        new(32, "an alarm less", all => Remove(all, Alarm, "MeteringLag")),
        new(32, "an alarm of what is not sent", all => all.One(Alarm, "QueueAge").Properties["MetricName"] = "netautomation.queue.age"),
        new(33, "no guard of the account", all => Remove(all, "AWS::GuardDuty::Detector", "")),
        new(34, "nobody knows whose costs", all => all.One(Database).Properties.Remove("Tags")),
        new(34, "a budget that tells nobody", all => all.One("AWS::Budgets::Budget").Properties.Remove("NotificationsWithSubscribers")),
        new(39, "the API owns the schema", all =>
            Variables(all, "ApiTask").Add(new JsonObject { ["Name"] = "Database__Owner", ["Value"] = "Host=x;SSL Mode=VerifyFull" })),
        new(39, "no migration", all => Container(all, "MigrateTask", "migrate")["Command"] =
            new JsonArray("exec dotnet /app/NetAutomation.dll")),
        new(40, "workers bill", all => Statement(all, Role, "WorkerRole")["Action"] = new JsonArray("aws-marketplace:BatchMeterUsage")),
        new(40, "other products' rights", all =>
            Statement(all, Role, "ApiRole")["Action"] = new JsonArray("aws-marketplace:PutDeploymentParameter")),
        new(40, "no events of agreements", all => Remove(all, "AWS::Events::Rule", "Agreements")),
    ];

    private static Flip Set(int line, string name, string type, string id, string property, JsonNode value) =>
        new(line, name, all => all.One(type, id).Properties[property] = value.DeepClone());

    private static Flip Attribute(int line, string name, string type, string id, string property, string key, string value) =>
        new(line, name, all => all.One(type, id).Properties[property]!.AsArray()
            .Single(each => each!["Key"]!.ToString() == key)!["Value"] = value);

    private static void Remove(Templates all, string type, string id)
    {
        var resource = all.One(type, id);
        all.Stacks[resource.Stack]["Resources"]!.AsObject().Remove(resource.Id);
    }

    private static void Add(Templates all, string stack, string id, string type) =>
        all.Stacks[stack]["Resources"]!.AsObject()[id] = new JsonObject { ["Type"] = type, ["Properties"] = new JsonObject() };

    private static void Trim(JsonNode items)
    {
        while (items.AsArray().Count > 1)
        {
            items.AsArray().RemoveAt(1);
        }
    }

    private static JsonObject Statement(Templates all, string type, string id) =>
        Statements(all, type, id).First(each => each["Effect"]!.ToString() == "Allow");

    private static JsonObject Deny(Templates all, string type, string id) =>
        Statements(all, type, id).First(each => each["Effect"]!.ToString() == "Deny");

    private static JsonObject Named(Templates all, string role, string action) =>
        Statements(all, Role, role).First(each => Templates.Strings(each["Action"]).Contains(action, StringComparer.Ordinal));

    /// <summary>Those of policies; of a role those of its own policy, not of its trust.</summary>
    private static IEnumerable<JsonObject> Statements(Templates all, string type, string id)
    {
        var properties = all.One(type, id).Properties;
        return Templates.Below(properties["Policies"] ?? properties["PolicyDocument"]).OfType<JsonObject>()
            .Where(node => node["Effect"] is not null);
    }

    private static JsonArray Rules(Templates all, string group)
    {
        var properties = all.One("AWS::EC2::SecurityGroup", group).Properties;
        return (JsonArray)(properties["SecurityGroupIngress"] ??= new JsonArray());
    }

    private static JsonObject Open(int port) =>
        new() { ["IpProtocol"] = "tcp", ["FromPort"] = port, ["ToPort"] = port, ["CidrIp"] = "0.0.0.0/0" };

    private static Resource IngressOf(Templates all, string group, string? port = null) =>
        all.Of("AWS::EC2::SecurityGroupIngress").First(each =>
        all.Named(each, each.Properties["GroupId"])!.Id.StartsWith(group, StringComparison.Ordinal)
            && (port is null || each.Properties["FromPort"]!.ToString() == port));

    private static JsonObject Ref(Templates all, string group) =>
        new() { ["Fn::GetAtt"] = new JsonArray(all.One("AWS::EC2::SecurityGroup", group).Id, "GroupId") };

    private static JsonObject Container(Templates all, string task, string name) =>
        all.One(Task, task).Properties["ContainerDefinitions"]!.AsArray()
        .OfType<JsonObject>().Single(each => each["Name"]?.ToString() == name);

    private static JsonArray Variables(Templates all, string task) =>
        all.One(Task, task).Properties["ContainerDefinitions"]!.AsArray().OfType<JsonObject>()
        .Select(each => each["Environment"]).OfType<JsonArray>().First();

    private static JsonObject Variable(Templates all, string task, string name) =>
        Variables(all, task).OfType<JsonObject>().Single(each => each["Name"]?.ToString() == name);

    /// <summary>In a text that the framework has joined of pieces.</summary>
    private static void Replace(JsonObject variable, string old, string other)
    {
        var whole = variable["Value"]!.ToJsonString();
        whole.ShouldContain(old);
        variable["Value"] = JsonNode.Parse(whole.Replace(old, other, StringComparison.Ordinal));
    }

    private static JsonObject Vpc(Templates all, string service) =>
        all.One(Service, service).Properties["NetworkConfiguration"]!["AwsvpcConfiguration"]!.AsObject();

    private static JsonObject Rule(Templates all) =>
        all.One("AWS::Backup::BackupPlan").Properties["BackupPlan"]!["BackupPlanRule"]![0]!.AsObject();

    private static void Default(Templates all)
    {
        var inside = all.Of("AWS::EC2::SubnetRouteTableAssociation").First(each => each.Id.Contains("inside", StringComparison.Ordinal));
        Add(all, inside.Stack, "Out", "AWS::EC2::Route");
        var route = all.One("AWS::EC2::Route", "Out").Properties;
        route["RouteTableId"] = inside.Properties["RouteTableId"]!.DeepClone();
        route["DestinationCidrBlock"] = "0.0.0.0/0";
    }
}
