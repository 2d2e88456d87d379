using Amazon.CDK;
using Amazon.CDK.AWS.EC2;
using Amazon.CDK.AWS.ECS;
using Amazon.CDK.AWS.KMS;
using Amazon.CDK.AWS.Logs;

namespace NetAutomation.Deploy;

/// <summary>
/// Three zones with three kinds of subnets, and a security group for each party, which is all that says who reaches whom. Rules stand in
/// this stack, so that no other one has to know two parties.
/// </summary>
internal sealed class NetworkStack : CellStack
{
    public const int Customer = 8443, Connector = 8444, Registration = 8080, Operator = 9443, Peer = 9444, Postgres = 5432;

    public NetworkStack(App app, string cell)
        : base(app, cell, "network", "subnets, security groups, endpoints of AWS, the cluster")
    {
        LogKey = Key("LogKey", "Logs of the cell", LogsOfThisAccount());
        Cluster = new CfnCluster(this, "Cluster", new CfnClusterProps
        {
            ClusterSettings = new[] { new CfnCluster.ClusterSettingsProperty { Name = "containerInsights", Value = "enabled" } },
        });
        Vpc = new Vpc(this, "Vpc", new VpcProps
        {
            MaxAzs = 3,
            RestrictDefaultSecurityGroup = false,
            SubnetConfiguration =
            [
                // The registration page's load balancer and the way out, nothing else.
                new SubnetConfiguration { Name = "public", SubnetType = SubnetType.PUBLIC, CidrMask = 24, MapPublicIpOnLaunch = false },
                // What calls AWS Marketplace, which has no endpoint in a VPC, and the load balancer that customers reach.
                new SubnetConfiguration { Name = "service", SubnetType = SubnetType.PRIVATE_WITH_EGRESS, CidrMask = 22 },
                // Workers and the database have no way out at all.
                new SubnetConfiguration { Name = "inside", SubnetType = SubnetType.PRIVATE_ISOLATED, CidrMask = 22 },
            ],
        });
        FlowLogs();

        LoadBalancer = Group("LoadBalancer", "the load balancer behind the endpoint service");
        Page = Group("Page", "the load balancer of the registration page");
        Api = Group("Api", "api processes");
        Worker = Group("Worker", "workers");
        Scheduler = Group("Scheduler", "schedulers");
        Hosts = Group("Hosts", "hosts of workers, for the agent of Amazon ECS");
        Migrate = Group("Migrate", "the task that changes the schema");
        Database = Group("Database", "the database");
        Endpoints = Group("Endpoints", "endpoints of AWS services");
        Staff = Group("Staff", "what staff come through: a session manager host or a VPN, given by the provider");

        Page.AddIngressRule(Amazon.CDK.AWS.EC2.Peer.AnyIpv4(), Port.Tcp(443), "buyers' browsers");
        Page.AddIngressRule(Amazon.CDK.AWS.EC2.Peer.AnyIpv4(), Port.Tcp(80), "is sent to 443");
        Way(LoadBalancer, Api, Customer, "customers");
        Way(LoadBalancer, Api, Connector, "connectors");
        Way(Page, Api, Registration, "registration");
        Way(Staff, Api, Operator, "operators");
        foreach (var (from, name) in new[] { (Api, "api"), (Worker, "workers"), (Scheduler, "schedulers") })
        {
            Way(from, Api, Peer, $"peers: {name}");
        }

        foreach (var (from, name) in new[] { (Api, "api"), (Worker, "workers"), (Scheduler, "schedulers"), (Migrate, "migration") })
        {
            Way(from, Database, Postgres, name);
            Endpoints.AddIngressRule(from, Port.Tcp(443), name);
            // The gateway endpoint of S3, from which image layers come, and AWS Marketplace have public addresses.
            from.AddEgressRule(Amazon.CDK.AWS.EC2.Peer.AnyIpv4(), Port.Tcp(443), "AWS");
        }

        Endpoints.AddIngressRule(Hosts, Port.Tcp(443), "hosts");
        Hosts.AddEgressRule(Amazon.CDK.AWS.EC2.Peer.AnyIpv4(), Port.Tcp(443), "AWS");
        Vpc.AddGatewayEndpoint("S3", new GatewayVpcEndpointOptions { Service = GatewayVpcEndpointAwsService.S3 });
        foreach (var (name, service) in new (string, InterfaceVpcEndpointAwsService)[]
        {
            ("EcrApi", InterfaceVpcEndpointAwsService.ECR),
            ("EcrDocker", InterfaceVpcEndpointAwsService.ECR_DOCKER),
            ("Logs", InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS),
            ("Kms", InterfaceVpcEndpointAwsService.KMS),
            ("Secrets", InterfaceVpcEndpointAwsService.SECRETS_MANAGER),
            ("Sqs", InterfaceVpcEndpointAwsService.SQS),
            ("Ec2", InterfaceVpcEndpointAwsService.EC2),
            ("Sts", InterfaceVpcEndpointAwsService.STS),
            ("Ecs", InterfaceVpcEndpointAwsService.ECS),
            ("EcsAgent", InterfaceVpcEndpointAwsService.ECS_AGENT),
            ("EcsTelemetry", InterfaceVpcEndpointAwsService.ECS_TELEMETRY),
        })
        {
            Vpc.AddInterfaceEndpoint(name, new InterfaceVpcEndpointOptions
            {
                Service = service,
                Open = false,
                SecurityGroups = [Endpoints],
                Subnets = new SubnetSelection { SubnetGroupName = "inside" },
            });
        }

        new CfnOutput(this, "StaffSecurityGroup", new CfnOutputProps
        {
            Value = Staff.SecurityGroupId,
            Description = "Give it to the host from which staff call the operator API",
        });
        new CfnOutput(this, "DefaultSecurityGroup", new CfnOutputProps
        {
            Value = Vpc.VpcDefaultSecurityGroup,
            Description = "Nothing uses it: take its rules away (docs/deploying-on-aws.md)",
        });
    }

    public Vpc Vpc { get; }

    public CfnKey LogKey { get; }

    public CfnCluster Cluster { get; }

    public SecurityGroup LoadBalancer { get; }

    public SecurityGroup Page { get; }

    public SecurityGroup Api { get; }

    public SecurityGroup Worker { get; }

    public SecurityGroup Scheduler { get; }

    public SecurityGroup Hosts { get; }

    public SecurityGroup Migrate { get; }

    public SecurityGroup Database { get; }

    private SecurityGroup Endpoints { get; }

    private SecurityGroup Staff { get; }

    public string[] Subnets(string name) => Vpc.SelectSubnets(new SubnetSelection { SubnetGroupName = name }).SubnetIds;

    /// <summary>The ranges in which the load balancer's nodes have their addresses: only they may name the endpoint of a
    /// connection.</summary>
    public string[] LoadBalancerRanges() =>
        [.. Vpc.SelectSubnets(new SubnetSelection { SubnetGroupName = "service" }).Subnets.Select(subnet => subnet.Ipv4CidrBlock)];

    private Dictionary<string, object> LogsOfThisAccount()
    {
        var statement = Allow(["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey",
            "kms:DescribeKey"], "*");
        statement["Principal"] = new Dictionary<string, object> { ["Service"] = $"logs.{Region}.amazonaws.com" };
        statement["Condition"] = new Dictionary<string, object>
        {
            ["ArnLike"] = new Dictionary<string, object> { ["kms:EncryptionContext:aws:logs:arn"] = Arn("logs", "*") },
        };
        return statement;
    }

    private SecurityGroup Group(string id, string description) =>
        new(this, id, new SecurityGroupProps { Vpc = Vpc, Description = $"NetAutomation {Cell}: {description}", AllowAllOutbound = false });

    private static void Way(SecurityGroup from, SecurityGroup to, int port, string what)
    {
        to.AddIngressRule(from, Port.Tcp(port), what);
        from.AddEgressRule(to, Port.Tcp(port), what);
    }

    private void FlowLogs()
    {
        var group = Kept(new CfnLogGroup(this, "FlowLogGroup", new CfnLogGroupProps { RetentionInDays = 90, KmsKeyId = LogKey.AttrArn }));
        var writer = Role(
            "FlowLogRole", "vpc-flow-logs.amazonaws.com", Arn("ec2", "vpc-flow-log/*"),
            Allow(["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"], group.AttrArn),
                Allow(["logs:DescribeLogGroups"], "*"));
        new CfnFlowLog(this, "FlowLog", new CfnFlowLogProps
        {
            ResourceId = Vpc.VpcId,
            ResourceType = "VPC",
            TrafficType = "ALL",
            LogDestinationType = "cloud-watch-logs",
            LogGroupName = group.Ref,
            DeliverLogsPermissionArn = writer.AttrArn,
        });
    }
}
