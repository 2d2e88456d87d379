using Amazon.CDK;
using Amazon.CDK.AWS.ApplicationAutoScaling;
using Amazon.CDK.AWS.AutoScaling;
using Amazon.CDK.AWS.CloudWatch;
using Amazon.CDK.AWS.EC2;
using Amazon.CDK.AWS.ECS;
using Amazon.CDK.AWS.IAM;
using Amazon.CDK.AWS.Logs;
using CfnScalingPolicy = Amazon.CDK.AWS.ApplicationAutoScaling.CfnScalingPolicy;
using CfnScalingPolicyProps = Amazon.CDK.AWS.ApplicationAutoScaling.CfnScalingPolicyProps;

namespace NetAutomation.Deploy;

/// <summary>
/// The processes: api, scheduler and workers as services. Workers run on hosts that allow user namespaces, for the full sandbox, or on
/// AWS Fargate with the plain one (docs/security.md).
/// </summary>
internal sealed class ServicesStack : TaskStack
{
    private const string SecretArn = "^arn:aws[a-z-]*:secretsmanager:.+$";

    /// <summary>The service reads secrets from files, which no child of it inherits; so a first container writes them and ends.</summary>
    private const string Files =
        $"mkdir -p {Home}/certificates {Home}/content {Home}/work && cd {Home}"
        + " && printf '*:*:*:na_app:%s\\n*:*:*:na_system:%s\\n' \"$APP_PASSWORD\" \"$SYSTEM_PASSWORD\" > pgpass"
        + " && printf %s \"$CLUSTER_KEY\" > cluster-key && printf '%s\\n' \"$CERTIFICATE\" > certificates/server.pem"
        + " && printf '%s\\n' \"$CERTIFICATE_KEY\" > certificates/server.key"
        + " && printf '%s\\n' \"$CERTIFICATE_AUTHORITY\" > certificates/ca.pem"
        + " && chmod 711 content work";

    /// <summary>A task learns its address when it starts.</summary>
    private static readonly string _serve =
        $"export Peer__Url=\"https://$(hostname -i):{NetworkStack.Peer}\"; exec dotnet /app/NetAutomation.dll";

    private readonly NetworkStack _network;
    private readonly DataStack _data;
    private readonly EdgeStack _edge;
    private readonly EventsStack _events;
    private readonly CfnLogGroup _metrics;
    private readonly CfnParameter _collector, _certificate, _operators, _product, _dimension, _marketplaceRegion, _issuer;
    private readonly CfnCondition _sells;

    public ServicesStack(App app, string cell, NetworkStack network, DataStack data, EdgeStack edge, EventsStack events)
        : base(app, cell, "services", "api, scheduler, workers", network, data)
    {
        (_network, _data, _edge, _events) = (network, data, edge, events);
        _collector = Parameter("CollectorDigest", "Digest of the image of AWS Distro for OpenTelemetry in its repository.", Digest);
        _certificate = Parameter(
            "CertificateSecretArn", "Secret with the members certificate, key and authority (PEM): what customers' endpoints show.",
                SecretArn);
        _operators = Parameter("OperatorKeysSecretArn", "Secret with the operators' file: hashes of their keys (docs/operating.md).",
            SecretArn);
        _product = Parameter("ProductCode", "Product code of AWS Marketplace; empty where all customers are invoiced.", "^[a-z0-9]*$", "");
        _sells = new CfnCondition(
            this, "SellsAtMarketplace",
            new CfnConditionProps { Expression = Fn.ConditionNot(Fn.ConditionEquals(_product.ValueAsString, "")) });
        _dimension = Parameter("Dimension", "The dimension of the product that money is metered in; empty: nothing is reported.",
            standard: "");
        _marketplaceRegion = Parameter("MarketplaceRegion", "The Region of metering: one for the product's whole life.", "^[a-z0-9-]+$",
            "us-east-1");
        _issuer = Parameter("Issuer", "Name and address of the provider on invoices.");
        _metrics = Logs("metrics");

        Api();
        Scheduler();
        Workers();
    }

    /// <summary>The namespace of the service's own metrics in Amazon CloudWatch.</summary>
    public static string MetricsOf(string cell) => $"NetAutomation/{cell}";

    private static Dictionary<string, object> Marketplace(params string[] actions) =>
        Allow([.. actions.Select(action => $"aws-marketplace:{action}")], "*");

    private Dictionary<string, object>[] Endpoints() =>
    [
        Allow(["ec2:DescribeVpcEndpointConnections", "ec2:DescribeVpcEndpointServiceConfigurations",
            "ec2:DescribeVpcEndpointServicePermissions"], "*"),
        Allow(
            ["ec2:AcceptVpcEndpointConnections", "ec2:RejectVpcEndpointConnections", "ec2:ModifyVpcEndpointServicePermissions",
                "ec2:StartVpcEndpointServicePrivateDnsVerification"],
            Arn("ec2", $"vpc-endpoint-service/{_edge.Service.Ref}")),
    ];

    private Dictionary<string, object> TenantKeys() => Allow(["kms:Encrypt", "kms:Decrypt"], _data.TenantKey.AttrArn);

    private void Api()
    {
        var task = Process(
            "api", 2048, 4096, onHost: false, [.. Endpoints(), Marketplace("ResolveCustomer"), TenantKeys()],
            Settings(
                "api", ("Edge__Listeners__Operator", $"0.0.0.0:{NetworkStack.Operator}"), ("Operator__KeysFile", $"{Home}/operators.json")),
            [.. Secrets(), SecretValue.Whole("OPERATOR_KEYS", _operators.ValueAsString)],
            $"{Files} && printf %s \"$OPERATOR_KEYS\" > {Home}/operators.json",
            NetworkStack.Customer, NetworkStack.Connector, NetworkStack.Registration, NetworkStack.Operator, NetworkStack.Peer);
        var service = Service("ApiService", task, _network.Api, "service", new CfnService.LoadBalancerProperty[]
        {
            new() { ContainerName = "api", ContainerPort = NetworkStack.Customer, TargetGroupArn = _edge.Customers.Ref },
            new() { ContainerName = "api", ContainerPort = NetworkStack.Connector, TargetGroupArn = _edge.Connectors.Ref },
            new() { ContainerName = "api", ContainerPort = NetworkStack.Registration, TargetGroupArn = _edge.Registration.Ref },
        });
        var scale = Scalable("ApiScale", service, 2, 12);
        new CfnScalingPolicy(this, "ApiScaling", new CfnScalingPolicyProps
        {
            PolicyName = "processor",
            PolicyType = "TargetTrackingScaling",
            ScalingTargetId = scale.Ref,
            TargetTrackingScalingPolicyConfiguration = new CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty
            {
                TargetValue = 50,
                PredefinedMetricSpecification = new CfnScalingPolicy.PredefinedMetricSpecificationProperty
                {
                    PredefinedMetricType = "ECSServiceAverageCPUUtilization",
                },
            },
        });
    }

    private void Scheduler()
    {
        var queues = Allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            new[] { _events.Notices.AttrArn, _events.Events.AttrArn });
        var task = Process(
            "scheduler", 1024, 2048, onHost: false,
            [.. Endpoints(), Marketplace("BatchMeterUsage", "GetEntitlements"), TenantKeys(), queues,
                Allow(["kms:Decrypt"], _events.MessageKey.AttrArn)],
            Settings("scheduler"), Secrets(), Files, NetworkStack.Peer);
        Service("SchedulerService", task, _network.Scheduler, "service");
    }

    private void Workers()
    {
        var place = new CfnParameter(this, "Workers", new CfnParameterProps
        {
            Type = "String",
            AllowedValues = ["hosts", "fargate"],
            Default = "hosts",
            Description =
                "hosts: instances that allow user namespaces, for the full sandbox. fargate: the plain sandbox, which promises less.",
        });
        var hosts = new CfnCondition(this, "WorkersOnHosts",
            new CfnConditionProps { Expression = Fn.ConditionEquals(place.ValueAsString, "hosts") });
        var fargate = new CfnCondition(
            this, "WorkersOnFargate", new CfnConditionProps { Expression = Fn.ConditionEquals(place.ValueAsString, "fargate") });
        foreach (var (name, condition, onHost) in new[] { ("worker", hosts, true), ("plain-worker", fargate, false) })
        {
            var provider = onHost ? Hosts(condition) : null;
            var task = Process(
                name, 4096, 8192, onHost, [TenantKeys()],
                Settings(
                    "worker", ("Execution__Launcher", onHost ? "namespaces" : "plain"), ("Execution__WorkDirectory", $"{Home}/work")),
                Secrets(), Files, NetworkStack.Peer);
            var service = Service($"{Id(name)}Service", task, _network.Worker, "inside", [], provider);
            var scale = Scalable($"{Id(name)}Scale", service, 2, 40);
            var policy = Steps($"{Id(name)}More", scale, (0, 60, 1), (60, null, 4));
            var less = Steps($"{Id(name)}Less", scale, (null, 0, -1));
            // The age of the oldest run that could begin, from every scheduler: the greatest counts.
            Alarm($"{Id(name)}Waits", 15, "GreaterThanThreshold", 1, policy, condition);
            Alarm($"{Id(name)}Idle", 1, "LessThanOrEqualToThreshold", 15, less, condition);
            foreach (var each in new CfnResource[] { task, service, scale, policy, less })
            {
                each.CfnOptions.Condition = condition;
            }
        }
    }

    private void Alarm(string id, int seconds, string comparison, int minutes, CfnScalingPolicy policy, CfnCondition condition) =>
        new CfnAlarm(this, id, new CfnAlarmProps
        {
            Namespace = MetricsOf(Cell),
            MetricName = Instruments.Sent("netautomation.queue.oldest", "state"),
            Dimensions = new[] { new CfnAlarm.DimensionProperty { Name = "state", Value = "ready" } },
            Statistic = "Maximum",
            Period = 60,
            EvaluationPeriods = minutes,
            Threshold = seconds,
            ComparisonOperator = comparison,
            TreatMissingData = "notBreaching",
            AlarmActions = [policy.Ref],
        }).CfnOptions.Condition = condition;

    private CfnScalingPolicy Steps(string id, CfnScalableTarget scale, params (int? From, int? To, int Change)[] steps) =>
        new(this, id, new CfnScalingPolicyProps
        {
            PolicyName = id,
            PolicyType = "StepScaling",
            ScalingTargetId = scale.Ref,
            StepScalingPolicyConfiguration = new CfnScalingPolicy.StepScalingPolicyConfigurationProperty
            {
                AdjustmentType = "ChangeInCapacity",
                Cooldown = 120,
                MetricAggregationType = "Maximum",
                StepAdjustments = steps.Select(step => new CfnScalingPolicy.StepAdjustmentProperty
                {
                    MetricIntervalLowerBound = step.From, MetricIntervalUpperBound = step.To, ScalingAdjustment = step.Change,
                }).ToArray(),
            },
        });

    private CfnScalableTarget Scalable(string id, CfnService service, int least, int most) => new(this, id, new CfnScalableTargetProps
    {
        ServiceNamespace = "ecs",
        ScalableDimension = "ecs:service:DesiredCount",
        ResourceId = $"service/{Cluster}/{service.AttrName}",
        MinCapacity = least,
        MaxCapacity = most,
    });

    /// <summary>Instances for workers alone, renewed by CloudFormation with the newest image of Amazon ECS.</summary>
    private CfnCapacityProvider Hosts(CfnCondition condition)
    {
        var image = new CfnParameter(this, "HostImage", new CfnParameterProps
        {
            Type = "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
            Default = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
        });
        var kind = Parameter("HostType", "Instance type of workers' hosts.", "^[a-z0-9.-]+$", "m7i.2xlarge");
        var role = Role(
            "HostRole", "ec2.amazonaws.com", source: null,
            // The agent asks where its cluster is served before it belongs to one; its further calls are of its own cluster.
            Allow(["ecs:DiscoverPollEndpoint"], "*"),
            Allow(
                ["ecs:DeregisterContainerInstance", "ecs:RegisterContainerInstance", "ecs:SubmitAttachmentStateChanges",
                    "ecs:SubmitContainerStateChange", "ecs:SubmitTaskStateChange"],
                _network.Cluster.AttrArn),
            Allow(
                ["ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"],
                Arn("ecs", $"container-instance/{Cluster}/*")));
        var profile = new CfnInstanceProfile(this, "HostProfile", new CfnInstanceProfileProps { Roles = [role.Ref] });
        var template = new CfnLaunchTemplate(this, "HostTemplate", new CfnLaunchTemplateProps
        {
            LaunchTemplateData = new CfnLaunchTemplate.LaunchTemplateDataProperty
            {
                ImageId = image.ValueAsString,
                InstanceType = kind.ValueAsString,
                IamInstanceProfile = new CfnLaunchTemplate.IamInstanceProfileProperty { Arn = profile.AttrArn },
                SecurityGroupIds = [_network.Hosts.SecurityGroupId],
                MetadataOptions = new CfnLaunchTemplate.MetadataOptionsProperty { HttpTokens = "required", HttpPutResponseHopLimit = 1 },
                Monitoring = new CfnLaunchTemplate.MonitoringProperty { Enabled = true },
                BlockDeviceMappings = new[]
                {
                    new CfnLaunchTemplate.BlockDeviceMappingProperty
                    {
                        DeviceName = "/dev/xvda",
                        Ebs = new CfnLaunchTemplate.EbsProperty { Encrypted = true, VolumeSize = 60, VolumeType = "gp3" },
                    },
                },
                UserData = Fn.Base64(Fn.Sub(Text("worker-host.sh"), new Dictionary<string, string> { ["Cluster"] = Cluster })),
            },
        });
        var hosts = new CfnAutoScalingGroup(this, "Hosts", new CfnAutoScalingGroupProps
        {
            MinSize = "2",
            MaxSize = "20",
            VpcZoneIdentifier = _network.Subnets("inside"),
            LaunchTemplate = new CfnAutoScalingGroup.LaunchTemplateSpecificationProperty
            {
                LaunchTemplateId = template.Ref, Version = template.AttrLatestVersionNumber,
            },
            NewInstancesProtectedFromScaleIn = true,
            Tags = new[] { new CfnAutoScalingGroup.TagPropertyProperty { Key = "AmazonECSManaged", Value = "", PropagateAtLaunch = true } },
        });
        var provider = new CfnCapacityProvider(this, "HostCapacity", new CfnCapacityProviderProps
        {
            AutoScalingGroupProvider = new CfnCapacityProvider.AutoScalingGroupProviderProperty
            {
                AutoScalingGroupArn = hosts.Ref,
                ManagedScaling = new CfnCapacityProvider.ManagedScalingProperty { Status = "ENABLED", TargetCapacity = 100 },
                ManagedTerminationProtection = "ENABLED",
                ManagedDraining = "ENABLED",
            },
        });
        var association = new CfnClusterCapacityProviderAssociations(this, "HostAssociation",
            new CfnClusterCapacityProviderAssociationsProps
            {
                Cluster = Cluster, CapacityProviders = new[] { provider.Ref },
                DefaultCapacityProviderStrategy = new[]
            {
                new CfnClusterCapacityProviderAssociations.CapacityProviderStrategyProperty { CapacityProvider = provider.Ref, Weight = 1 },
            },
            });
        foreach (var each in new CfnResource[] { role, profile, template, hosts, provider, association })
        {
            each.CfnOptions.Condition = condition;
        }

        return provider;
    }

    private CfnService Service(
        string id, CfnTaskDefinition task, SecurityGroup group, string subnets, CfnService.LoadBalancerProperty[]? balancers = null,
        CfnCapacityProvider? provider = null) =>
        new(this, id, new CfnServiceProps
        {
            Cluster = Cluster,
            TaskDefinition = task.Ref,
            DesiredCount = 2,
            LaunchType = provider is null ? "FARGATE" : null,
            PlatformVersion = provider is null ? "LATEST" : null,
            CapacityProviderStrategy = provider is null ? null
                : new[] { new CfnService.CapacityProviderStrategyItemProperty { CapacityProvider = provider.Ref, Weight = 1 } },
            PlacementStrategies = provider is null ? null
                : new[] { new CfnService.PlacementStrategyProperty { Type = "spread", Field = "attribute:ecs.availability-zone" } },
            DeploymentConfiguration = new CfnService.DeploymentConfigurationProperty
            {
                MinimumHealthyPercent = 100,
                MaximumPercent = 200,
                DeploymentCircuitBreaker = new CfnService.DeploymentCircuitBreakerProperty { Enable = true, Rollback = true },
            },
            EnableExecuteCommand = false,
            PropagateTags = "SERVICE",
            HealthCheckGracePeriodSeconds = balancers is { Length: > 0 } ? 60 : null,
            LoadBalancers = balancers is { Length: > 0 } ? balancers : null,
            NetworkConfiguration = new CfnService.NetworkConfigurationProperty
            {
                AwsvpcConfiguration = new CfnService.AwsVpcConfigurationProperty
                {
                    AssignPublicIp = provider is null ? "DISABLED" : null, Subnets = _network.Subnets(subnets),
                    SecurityGroups = [group.SecurityGroupId],
                },
            },
        });

    /// <summary>What every process of the service is told. Docs: docs/cells.md, docs/onboarding.md, docs/operating.md.</summary>
    private Dictionary<string, string> Settings(string role, params (string Name, string Value)[] further)
    {
        var all = new Dictionary<string, string>
        {
            ["Roles__0"] = role,
            ["Cell__Name"] = Cell,
            ["Database__App"] = Connection("na_app"),
            ["Database__System"] = Connection("na_system"),
            // Where a task runs on a host, nobody else says it.
            ["AWS_REGION"] = Region,
            ["Inventory__KmsKeyArn"] = _data.TenantKey.AttrArn,
            ["Edge__ServerName"] = _edge.ServerName.ValueAsString,
            ["Edge__CertificateFile"] = $"{Home}/certificates/server.pem",
            ["Edge__CertificateKeyFile"] = $"{Home}/certificates/server.key",
            ["Edge__CertificateAuthorityFile"] = $"{Home}/certificates/ca.pem",
            ["Peer__ClusterKeyFile"] = $"{Home}/cluster-key",
            ["Onboarding__ServiceId"] = _edge.Service.Ref,
            ["Onboarding__ServiceName"] = $"com.amazonaws.vpce.{Region}.{_edge.Service.Ref}",
            ["Onboarding__PrivateDns"] = "true",
            ["Onboarding__NotificationQueueUrl"] = _events.Notices.Ref,
            ["Marketplace__QueueUrl"] = _events.Events.Ref,
            ["Marketplace__Dimension"] = _dimension.ValueAsString,
            ["Marketplace__Region"] = _marketplaceRegion.ValueAsString,
            ["Billing__Issuer"] = _issuer.ValueAsString,
            ["Telemetry__OtlpEndpoint"] = "http://127.0.0.1:4317",
            ["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"] = "base2_exponential_bucket_histogram",
            ["OTEL_TRACES_SAMPLER"] = "always_off",
        };
        foreach (var (index, range) in _network.LoadBalancerRanges().Index())
        {
            all[$"Edge__TrustedPeers__{index}"] = range;
        }

        foreach (var (name, value) in further)
        {
            all[name] = value;
        }

        return all;
    }

    private SecretValue[] Secrets() =>
    [
        SecretValue.Whole("APP_PASSWORD", _data.AppPassword.Ref), SecretValue.Whole("SYSTEM_PASSWORD", _data.SystemPassword.Ref),
        SecretValue.Whole("CLUSTER_KEY", _data.ClusterKey.Ref),
        SecretValue.Member("CERTIFICATE", _certificate.ValueAsString, "certificate"),
        SecretValue.Member("CERTIFICATE_KEY", _certificate.ValueAsString, "key"),
        SecretValue.Member("CERTIFICATE_AUTHORITY", _certificate.ValueAsString, "authority"),
    ];

    /// <summary>A process of the service with what writes its secrets before it, and what takes its metrics beside it.</summary>
    private CfnTaskDefinition Process(
        string name, int cpu, int memory, bool onHost, Dictionary<string, object>[] may, Dictionary<string, string> settings,
        SecretValue[] secrets, string files, params int[] ports)
    {
        var logs = Logs(name);
        var writer = Container("files", $"umask 077; {files}", logs);
        writer.Essential = false;
        writer.Secrets = secrets.Select(each => each.Property).ToArray();

        var main = Container(name, _serve, logs);
        main.Essential = true;
        main.Environment = settings.Select(each => (object)Variable(each.Key, each.Value)).Append(Fn.ConditionIf(
            _sells.LogicalId,
            new Dictionary<string, object> { ["Name"] = "Marketplace__ProductCodes__0", ["Value"] = _product.ValueAsString },
            new Dictionary<string, object> { ["Ref"] = "AWS::NoValue" })).ToArray();
        main.DependsOn = new[] { new CfnTaskDefinition.ContainerDependencyProperty { ContainerName = "files", Condition = "SUCCESS" } };
        main.PortMappings = ports.Select(port => new CfnTaskDefinition.PortMappingProperty { ContainerPort = port }).ToArray();
        main.HealthCheck = new CfnTaskDefinition.HealthCheckProperty
        {
            Command = ["CMD", "/usr/local/bin/netautomation-healthy", $"https://127.0.0.1:{NetworkStack.Peer}/healthz/live"],
            Interval = 30, Timeout = 5, Retries = 3, StartPeriod = 60,
        };
        if (onHost)
        {
            // With them a program of the image gives each sandbox a user id of its own; the service itself has none.
            main.LinuxParameters = Capabilities(["SETUID", "SETGID"]);
            main.MountPoints = new[] { Mount("home", Home), Mount("temporary", "/tmp"), Mount("proc", "/run/proc") };
        }

        var role = TaskRole(
            $"{Id(name)}Role",
            [Allow(["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], _metrics.AttrArn), .. may]);
        return Task(name, cpu, memory, onHost, logs, role, secrets, writer, main, Collector(logs));
    }

    private CfnTaskDefinition.ContainerDefinitionProperty Collector(CfnLogGroup logs) => Confined(
        new CfnTaskDefinition.ContainerDefinitionProperty
        {
            Name = "collector",
            Image = $"{_data.CollectorImage.AttrRepositoryUri}@{_collector.ValueAsString}",
            Essential = false,
            Environment = new[]
            {
                Variable(
                    "AOT_CONFIG_CONTENT",
                    Text("collector.yaml").Replace("DECLARATIONS", Instruments.Declarations(), StringComparison.Ordinal)),
                Variable("AWS_REGION", Region), Variable("METRICS_NAMESPACE", MetricsOf(Cell)), Variable("METRICS_LOG_GROUP", _metrics.Ref),
            },
        },
        logs);

    private static string Text(string name)
    {
        using var reader = new StreamReader(typeof(ServicesStack).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
