using Amazon.CDK;
using Amazon.CDK.AWS.EC2;
using Amazon.CDK.AWS.ElasticLoadBalancingV2;
using Amazon.CDK.AWS.S3;
using Amazon.CDK.AWS.WAFv2;

namespace NetAutomation.Deploy;

/// <summary>The two ways in: customers' endpoints by AWS PrivateLink, and the registration page for buyers' browsers.</summary>
internal sealed class EdgeStack : CellStack
{
    public EdgeStack(App app, string cell, NetworkStack network)
        : base(app, cell, "edge", "endpoint service, registration page")
    {
        PrivateLink(network);
        Page(network);
    }

    public CfnLoadBalancer LoadBalancer { get; private set; } = null!;

    public CfnTargetGroup Customers { get; private set; } = null!;

    public CfnTargetGroup Connectors { get; private set; } = null!;

    public CfnTargetGroup Registration { get; private set; } = null!;

    public CfnVPCEndpointService Service { get; private set; } = null!;

    public CfnLoadBalancer PageBalancer { get; private set; } = null!;

    public string PageCertificateArn { get; private set; } = "";

    private void PrivateLink(NetworkStack network)
    {
        LoadBalancer = new CfnLoadBalancer(this, "LoadBalancer", new CfnLoadBalancerProps
        {
            Type = "network",
            Scheme = "internal",
            Subnets = network.Subnets("service"),
            // Only a load balancer that is made with a group can have one. This one lets nobody in but endpoints, whose traffic no rule
            // sees.
            SecurityGroups = [network.LoadBalancer.SecurityGroupId],
            EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic = "off",
            LoadBalancerAttributes = Attributes<CfnLoadBalancer.LoadBalancerAttributeProperty>(
                (key, value) => new() { Key = key, Value = value },
                ("deletion_protection.enabled", "true"), ("load_balancing.cross_zone.enabled", "true")),
        });
        Customers = Targets("Customers", NetworkStack.Customer, network);
        Connectors = Targets("Connectors", NetworkStack.Connector, network);
        Listen("CustomerListener", 443, Customers);
        Listen("ConnectorListener", NetworkStack.Connector, Connectors);

        var regions = new CfnParameter(this, "SupportedRegions", new CfnParameterProps
        {
            Type = "CommaDelimitedList",
            Default = "",
            Description = "Further Regions from which customers may connect; empty: this one only.",
        });
        var several = new CfnCondition(this, "HasSupportedRegions", new CfnConditionProps
        {
            Expression = Fn.ConditionNot(Fn.ConditionEquals(Fn.Join("", regions.ValueAsList), "")),
        });
        Service = new CfnVPCEndpointService(this, "Service", new CfnVPCEndpointServiceProps
        {
            AcceptanceRequired = true,
            NetworkLoadBalancerArns = [LoadBalancer.Ref],
        });
        // Newer than the construct library.
        Service.AddPropertyOverride("SupportedIpAddressTypes", new[] { "ipv4" });
        Service.AddPropertyOverride("SupportedRegions", new Dictionary<string, object>
        {
            ["Fn::If"] = new object[]
            {
                several.LogicalId,
                new Dictionary<string, object> { ["Ref"] = regions.LogicalId },
                new Dictionary<string, object> { ["Ref"] = "AWS::NoValue" },
            },
        });
        Service.ApplyRemovalPolicy(RemovalPolicy.RETAIN);

        ServerName =
            Parameter("ServerName",
            "The name that customers call, such as api.netautomation.example: of the certificate and the endpoint service.",
            "^[a-z0-9.-]+$");
        new CfnOutput(this, "ServiceName", new CfnOutputProps
        {
            Value = $"com.amazonaws.vpce.{Region}.{Service.Ref}",
            Description = "What customers connect to",
        });
        // CloudFormation cannot set the name.
        new CfnOutput(this, "PrivateDnsCommand", new CfnOutputProps
        {
            Value = $"aws ec2 modify-vpc-endpoint-service-configuration --service-id {Service.Ref} "
                + $"--private-dns-name {ServerName.ValueAsString}",
            Description = "Gives the endpoint service its private DNS name; then publish the TXT record and have it verified",
        });
    }

    public CfnParameter ServerName { get; private set; } = null!;

    private CfnTargetGroup Targets(string id, int port, NetworkStack network) => new(this, id, new CfnTargetGroupProps
    {
        TargetType = "ip",
        Protocol = "TCP",
        Port = port,
        VpcId = network.Vpc.VpcId,
        // The listeners answer it behind the header that the load balancer puts before it.
        HealthCheckProtocol = "HTTPS",
        HealthCheckPort = "traffic-port",
        HealthCheckPath = "/healthz/ready",
        HealthCheckIntervalSeconds = 10,
        HealthyThresholdCount = 2,
        UnhealthyThresholdCount = 2,
        TargetGroupAttributes = Attributes<CfnTargetGroup.TargetGroupAttributeProperty>(
            (key, value) => new() { Key = key, Value = value },
            ("proxy_protocol_v2.enabled", "true"),
            ("preserve_client_ip.enabled", "false"),
            ("deregistration_delay.timeout_seconds", "30"),
            ("deregistration_delay.connection_termination.enabled", "false")),
    });

    private void Listen(string id, int port, CfnTargetGroup targets) => new CfnListener(this, id, new CfnListenerProps
    {
        LoadBalancerArn = LoadBalancer.Ref,
        Port = port,
        Protocol = "TCP",
        DefaultActions = new[] { new CfnListener.ActionProperty { Type = "forward", TargetGroupArn = targets.Ref } },
    });

    private void Page(NetworkStack network)
    {
        var certificate = Parameter("PageCertificateArn", "Certificate of AWS Certificate Manager for the registration page.",
            "^arn:aws[a-z-]*:acm:.+$");
        PageCertificateArn = certificate.ValueAsString;
        var logs = LogBucket(out var logsPolicy);
        PageBalancer = new CfnLoadBalancer(this, "PageBalancer", new CfnLoadBalancerProps
        {
            Type = "application",
            Scheme = "internet-facing",
            Subnets = network.Subnets("public"),
            SecurityGroups = [network.Page.SecurityGroupId],
            LoadBalancerAttributes = Attributes<CfnLoadBalancer.LoadBalancerAttributeProperty>(
                (key, value) => new() { Key = key, Value = value },
                ("deletion_protection.enabled", "true"),
                ("routing.http.drop_invalid_header_fields.enabled", "true"),
                ("routing.http.desync_mitigation_mode", "strictest"),
                ("access_logs.s3.enabled", "true"),
                ("access_logs.s3.bucket", logs.Ref),
                ("access_logs.s3.prefix", "page")),
        });
        PageBalancer.AddDependency(logsPolicy);
        Registration = new CfnTargetGroup(this, "Registration", new CfnTargetGroupProps
        {
            TargetType = "ip",
            Protocol = "HTTP",
            Port = NetworkStack.Registration,
            VpcId = network.Vpc.VpcId,
            HealthCheckPath = "/healthz/ready",
            TargetGroupAttributes = Attributes<CfnTargetGroup.TargetGroupAttributeProperty>(
                (key, value) => new() { Key = key, Value = value }, ("deregistration_delay.timeout_seconds", "30")),
        });
        new CfnListener(this, "PageListener", new CfnListenerProps
        {
            LoadBalancerArn = PageBalancer.Ref,
            Port = 443,
            Protocol = "HTTPS",
            SslPolicy = "ELBSecurityPolicy-TLS13-1-2-2021-06",
            Certificates = new[] { new CfnListener.CertificateProperty { CertificateArn = PageCertificateArn } },
            DefaultActions = new[] { new CfnListener.ActionProperty { Type = "forward", TargetGroupArn = Registration.Ref } },
        });
        new CfnListener(this, "PageRedirect", new CfnListenerProps
        {
            LoadBalancerArn = PageBalancer.Ref,
            Port = 80,
            Protocol = "HTTP",
            DefaultActions = new[]
            {
                new CfnListener.ActionProperty
                {
                    Type = "redirect",
                    RedirectConfig = new CfnListener.RedirectConfigProperty { Protocol = "HTTPS", Port = "443", StatusCode = "HTTP_301" },
                },
            },
        });
        var wall = new CfnWebACL(this, "PageWall", new CfnWebACLProps
        {
            Scope = "REGIONAL",
            DefaultAction = new CfnWebACL.DefaultActionProperty { Allow = new CfnWebACL.AllowActionProperty() },
            VisibilityConfig = Seen("page"),
            Rules = new[]
            {
                Managed(1, "AWSManagedRulesCommonRuleSet"),
                Managed(2, "AWSManagedRulesKnownBadInputsRuleSet"),
                Managed(3, "AWSManagedRulesAmazonIpReputationList"),
                new CfnWebACL.RuleProperty
                {
                    Name = "rate",
                    Priority = 4,
                    Action = new CfnWebACL.RuleActionProperty { Block = new CfnWebACL.BlockActionProperty() },
                    Statement = new CfnWebACL.StatementProperty
                    {
                        RateBasedStatement = new CfnWebACL.RateBasedStatementProperty { AggregateKeyType = "IP", Limit = 300 },
                    },
                    VisibilityConfig = Seen("rate"),
                },
            },
        });
        new CfnWebACLAssociation(this, "PageWallAssociation", new CfnWebACLAssociationProps
        {
            ResourceArn = PageBalancer.Ref,
            WebAclArn = wall.AttrArn,
        });
    }

    /// <summary>The load balancer's log can only be encrypted by S3's own key, and a bucket of logs has no log of its own.</summary>
    private CfnBucket LogBucket(out CfnBucketPolicy policy)
    {
        var bucket = Kept(new CfnBucket(this, "PageLogs", new CfnBucketProps
        {
            BucketEncryption = new CfnBucket.BucketEncryptionProperty
            {
                ServerSideEncryptionConfiguration = new[]
                {
                    new CfnBucket.ServerSideEncryptionRuleProperty
                    {
                        ServerSideEncryptionByDefault = new CfnBucket.ServerSideEncryptionByDefaultProperty { SseAlgorithm = "AES256" },
                    },
                },
            },
            PublicAccessBlockConfiguration = new CfnBucket.PublicAccessBlockConfigurationProperty
            {
                BlockPublicAcls = true, BlockPublicPolicy = true, IgnorePublicAcls = true, RestrictPublicBuckets = true,
            },
            OwnershipControls = new CfnBucket.OwnershipControlsProperty
            {
                Rules = new[] { new CfnBucket.OwnershipControlsRuleProperty { ObjectOwnership = "BucketOwnerEnforced" } },
            },
            VersioningConfiguration = new CfnBucket.VersioningConfigurationProperty { Status = "Enabled" },
            LifecycleConfiguration = new CfnBucket.LifecycleConfigurationProperty
            {
                Rules = new[]
                {
                    new CfnBucket.RuleProperty
                    {
                        Status = "Enabled",
                        ExpirationInDays = 90,
                        NoncurrentVersionExpiration = new CfnBucket.NoncurrentVersionExpirationProperty { NoncurrentDays = 7 },
                        AbortIncompleteMultipartUpload = new CfnBucket.AbortIncompleteMultipartUploadProperty { DaysAfterInitiation = 1 },
                    },
                },
            },
        }));
        var write = By(
            "logdelivery.elasticloadbalancing.amazonaws.com", Allow(["s3:PutObject"], $"{bucket.AttrArn}/page/AWSLogs/{Account}/*"),
            Arn("elasticloadbalancing", "loadbalancer/*"));
        policy = new CfnBucketPolicy(this, "PageLogsPolicy", new CfnBucketPolicyProps
        {
            Bucket = bucket.Ref,
            PolicyDocument = Policy(write, TlsOnly(["s3:*"], new[] { bucket.AttrArn, $"{bucket.AttrArn}/*" })),
        });
        return bucket;
    }

    private static CfnWebACL.RuleProperty Managed(int priority, string name) => new()
    {
        Name = name,
        Priority = priority,
        OverrideAction = new CfnWebACL.OverrideActionProperty { None = new Dictionary<string, object>() },
        Statement = new CfnWebACL.StatementProperty
        {
            ManagedRuleGroupStatement = new CfnWebACL.ManagedRuleGroupStatementProperty { VendorName = "AWS", Name = name },
        },
        VisibilityConfig = Seen(name),
    };

    private static CfnWebACL.VisibilityConfigProperty Seen(string name) =>
        new() { CloudWatchMetricsEnabled = true, SampledRequestsEnabled = false, MetricName = name };

    private static T[] Attributes<T>(Func<string, string, T> make, params (string Key, string Value)[] all) =>
        [.. all.Select(each => make(each.Key, each.Value))];
}
