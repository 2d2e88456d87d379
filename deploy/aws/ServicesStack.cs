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
/// The processes: api, scheduler and workers as services, and the change of the schema as a task that is run before they are renewed.
/// Workers run on hosts that allow user namespaces, for the full sandbox, or on AWS Fargate with the plain one (docs/security.md).
/// </summary>
internal sealed class ServicesStack : CellStack
{
    private const string Home = "/var/lib/netautomation", SecretArn = "^arn:aws[a-z-]*:secretsmanager:.+$";

    private readonly NetworkStack _network;
    private readonly DataStack _data;
    private readonly EdgeStack _edge;
    private readonly EventsStack _events;
    private readonly CfnCluster _cluster;
    private readonly CfnLogGroup _metrics;
    private readonly CfnParameter _image, _collector, _serverName, _certificate, _operators, _products, _dimension, _marketplaceRegion,
        _issuer;

    public ServicesStack(App app, string cell, NetworkStack network, DataStack data, EdgeStack edge, EventsStack events)
        : base(app, cell, "services", "api, scheduler, workers, change of the schema")
    {
        (_network, _data, _edge, _events) = (network, data, edge, events);
        const string Digest = "^sha256:[0-9a-f]{64}$";
        _image = Parameter("ImageDigest", "Digest of the service's image in its repository.", Digest);
        _collector = Parameter("CollectorDigest", "Digest of the image of AWS Distro for OpenTelemetry in its repository.", Digest);
        _serverName = Parameter("ServerName", "The name that customers call, as in the edge stack.", "^[a-z0-9.-]+$");
        _certificate = Parameter(
            "CertificateSecretArn", "Secret with the members certificate, key and authority (PEM): what customers' endpoints show.",
                SecretArn);
        _operators = Parameter("OperatorKeysSecretArn", "Secret with the operators' file: hashes of their keys (docs/operating.md).",
            SecretArn);
        _products = Parameter("ProductCode", "Product code of AWS Marketplace; empty where all customers are invoiced.", "^[a-z0-9]*$", "");
        _dimension = Parameter("Dimension", "The dimension of the product that money is metered in; empty: nothing is reported.",
            standard: "");
        _marketplaceRegion = Parameter("MarketplaceRegion", "The Region of metering: one for the product's whole life.", "^[a-z0-9-]+$",
            "us-east-1");
        _issuer = Parameter("Issuer", "Name and address of the provider on invoices.");
        _cluster = new CfnCluster(this, "Cluster", new CfnClusterProps
        {
            ClusterSettings = new[] { new CfnCluster.ClusterSettingsProperty { Name = "containerInsights", Value = "enabled" } },
        });
        _metrics = Logs("metrics");

        Migration();
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

    /// <summary>Run by `aws ecs run-task` before the services are renewed. It alone has the owner of the schema.</summary>
    private void Migration()
    {
        var task = Task(
            "migrate", 512, 1024, host: false, [],
            new() { ["Database__Owner"] = Connection(DataStack.Owner) },
            [
                Member("OWNER_PASSWORD", _data.Database.AttrMasterUserSecretSecretArn, "password"),
                Secret("Database__AppPassword", _data.AppPassword.Ref), Secret("Database__SystemPassword", _data.SystemPassword.Ref),
            ],
            files: null,
            $"umask 077; printf '*:*:*:*:%s\\n' \"$(printf %s \"$OWNER_PASSWORD\" | sed 's/[:\\\\]/\\\\&/g')\" > {Home}/pgpass; "
            + "unset OWNER_PASSWORD; "
            + "exec dotnet /app/NetAutomation.dll migrate");
        new CfnOutput(this, "MigrateCommand", new CfnOutputProps
        {
            Description = "Changes the schema; wait for its end before the services are renewed",
            Value = $"aws ecs run-task --cluster {_cluster.Ref} --task-definition {task.Ref} --launch-type FARGATE --network-configuration "
                + $"'awsvpcConfiguration={{subnets=[{string.Join(',', _network.Subnets("service"))}],"
                + $"securityGroups=[{_network.Migrate.SecurityGroupId}]}}'",
        });
    }

    private void Api()
    {
        var task = Task(
            "api", 2048, 4096, host: false, [.. Endpoints(), Marketplace("ResolveCustomer"), TenantKeys()],
            Settings("api", new()
            {
                ["Edge__Listeners__Operator"] = $"0.0.0.0:{NetworkStack.Operator}",
                ["Operator__KeysFile"] = $"{Home}/operators.json"
            }),
            [.. Secrets(), Secret("OPERATOR_KEYS", _operators.ValueAsString)],
            $"{Files} && printf %s \"$OPERATOR_KEYS\" > {Home}/operators.json", Serve,
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
        var task = Task(
            "scheduler", 1024, 2048, host: false,
            [.. Endpoints(), Marketplace("BatchMeterUsage", "GetEntitlements"), TenantKeys(), queues,
                Allow(["kms:Decrypt"], _events.Key.AttrArn)],
            Settings("scheduler", []), Secrets(), Files, Serve, NetworkStack.Peer);
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
        var onHosts = new CfnCondition(this, "WorkersOnHosts",
            new CfnConditionProps { Expression = Fn.ConditionEquals(place.ValueAsString, "hosts") });
        var onFargate = new CfnCondition(
            this, "WorkersOnFargate", new CfnConditionProps { Expression = Fn.ConditionEquals(place.ValueAsString, "fargate") });
        foreach (var (name, condition, host) in new[] { ("worker", onHosts, true), ("plain-worker", onFargate, false) })
        {
            var provider = host ? Hosts(condition) : null;
            var task = Task(
                name, 4096, 8192, host, [TenantKeys()],
                Settings("worker", new()
                {
                    ["Execution__Launcher"] = host
                    ? "namespaces" : "plain", ["Execution__WorkDirectory"] = $"{Home}/work"
                }),
                Secrets(), Files, Serve, NetworkStack.Peer);
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
            MetricName = "netautomation.queue.oldest",
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
        ResourceId = $"service/{_cluster.Ref}/{service.AttrName}",
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
                _cluster.AttrArn),
            Allow(
                ["ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"],
                Arn("ecs", $"container-instance/{_cluster.Ref}/*")));
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
                UserData = Fn.Base64(Fn.Sub(Text("worker-host.sh").Replace("CLUSTER", "${Cluster}", StringComparison.Ordinal))),
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
                Cluster = _cluster.Ref, CapacityProviders = new[] { provider.Ref },
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
            Cluster = _cluster.Ref,
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

    private string Connection(string user) =>
        $"Host={_data.Database.AttrEndpointAddress};Port={_data.Database.AttrEndpointPort};"
        + $"Database={DataStack.DatabaseName};Username={user};"
        + $"Passfile={Home}/pgpass;SSL Mode=VerifyFull;Root Certificate=/etc/netautomation/authorities/rds.pem;Maximum Pool Size=60";

    /// <summary>What every process of the service is told. Docs: docs/cells.md, docs/onboarding.md, docs/operating.md.</summary>
    private Dictionary<string, string> Settings(string role, Dictionary<string, string> further)
    {
        var all = new Dictionary<string, string>
        {
            ["Roles__0"] = role,
            ["Cell__Name"] = Cell,
            ["Database__App"] = Connection("na_app"),
            ["Database__System"] = Connection("na_system"),
            ["Inventory__KmsKeyId"] = _data.TenantKey.AttrArn,
            ["Edge__ServerName"] = _serverName.ValueAsString,
            ["Edge__CertificateFile"] = $"{Home}/certificates/server.pem",
            ["Edge__CertificateKeyFile"] = $"{Home}/certificates/server.key",
            ["Edge__CertificateAuthorityFile"] = $"{Home}/certificates/ca.pem",
            ["Peer__ClusterKeyFile"] = $"{Home}/cluster-key",
            ["Onboarding__ServiceId"] = _edge.Service.Ref,
            ["Onboarding__ServiceName"] = $"com.amazonaws.vpce.{Region}.{_edge.Service.Ref}",
            ["Onboarding__PrivateDns"] = "true",
            ["Onboarding__NotificationQueueUrl"] = _events.Notices.Ref,
            ["Marketplace__QueueUrl"] = _events.Events.Ref,
            ["Marketplace__ProductCodes__0"] = _products.ValueAsString,
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

    private (string, string, string)[] Secrets() =>
    [
        Secret("APP_PASSWORD", _data.AppPassword.Ref), Secret("SYSTEM_PASSWORD", _data.SystemPassword.Ref),
            Secret("CLUSTER_KEY", _data.ClusterKey.Ref),
        Member("CERTIFICATE", _certificate.ValueAsString, "certificate"), Member("CERTIFICATE_KEY", _certificate.ValueAsString, "key"),
        Member("CERTIFICATE_AUTHORITY", _certificate.ValueAsString, "authority"),
    ];

    private static (string, string, string) Secret(string name, string arn) => (name, arn, arn);

    private static (string, string, string) Member(string name, string arn, string member) => (name, $"{arn}:{member}::", arn);

    /// <summary>The service reads secrets from files, which no child of it inherits; so a first container writes them and ends.</summary>
    private const string Files =
        $"mkdir -p {Home}/certificates {Home}/content {Home}/work && cd {Home}"
        + " && printf '*:*:*:na_app:%s\\n*:*:*:na_system:%s\\n' \"$APP_PASSWORD\" \"$SYSTEM_PASSWORD\" > pgpass"
        + " && printf %s \"$CLUSTER_KEY\" > cluster-key && printf '%s\\n' \"$CERTIFICATE\" > certificates/server.pem"
        + " && printf '%s\\n' \"$CERTIFICATE_KEY\" > certificates/server.key"
        + " && printf '%s\\n' \"$CERTIFICATE_AUTHORITY\" > certificates/ca.pem"
        + " && chmod 711 content work";

    /// <summary>A task learns its address when it starts.</summary>
    private const string Serve = "export Peer__Url=\"https://$(hostname -i):9444\"; exec dotnet /app/NetAutomation.dll";

    /// <param name="files">Writes the secrets to files in a container of its own, which ends; null where the command takes them
    /// itself.</param>
    private CfnTaskDefinition Task(
        string name, int cpu, int memory, bool host, Dictionary<string, object>[] may, Dictionary<string, string> settings,
        (string Name, string Arn, string Secret)[] secrets, string? files, string command, params int[] ports)
    {
        var (id, logs) = (Id(name), Logs(name));
        var start = Role(
            $"{id}StartRole", "ecs-tasks.amazonaws.com", Arn("ecs", "*"),
            Allow(["ecr:GetAuthorizationToken"], "*"),
            Allow(
                ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                new[] { _data.Image.AttrArn, _data.CollectorImage.AttrArn }),
            Allow(["logs:CreateLogStream", "logs:PutLogEvents"], logs.AttrArn),
            Allow(["secretsmanager:GetSecretValue"], secrets.Select(each => each.Secret).Distinct(StringComparer.Ordinal).ToArray()),
            Allow(["kms:Decrypt"], _data.Key.AttrArn));
        var role = Role(
            $"{id}Role", "ecs-tasks.amazonaws.com", Arn("ecs", "*"),
            [Allow(["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], _metrics.AttrArn), .. may]);
        var given = secrets.Select(each => new CfnTaskDefinition.SecretProperty { Name = each.Name, ValueFrom = each.Arn }).ToArray();
        var containers = new List<CfnTaskDefinition.ContainerDefinitionProperty>();
        if (files is not null)
        {
            containers.Add(Container("files", $"umask 077; {files}", logs, host: false, given));
        }

        containers.Add(Container(name, command, logs, host, files is null ? given : null, settings, files is not null, ports));
        if (ports.Length > 0)
        {
            containers.Add(Collector(logs));
        }

        // A new proc can be mounted in a namespace only by who sees a whole one, and Docker hides parts of a container's own.
        var proc = new CfnTaskDefinition.VolumeProperty
        {
            Name = "proc", Host = new CfnTaskDefinition.HostVolumePropertiesProperty { SourcePath = "/proc" },
        };
        return new CfnTaskDefinition(this, $"{id}Task", new CfnTaskDefinitionProps
        {
            Family = $"netautomation-{Cell}-{name}",
            Cpu = $"{cpu}",
            Memory = $"{memory}",
            NetworkMode = "awsvpc",
            RequiresCompatibilities = [host ? "EC2" : "FARGATE"],
            RuntimePlatform = host ? null : new CfnTaskDefinition.RuntimePlatformProperty
            {
                CpuArchitecture = "X86_64",
                OperatingSystemFamily = "LINUX"
            },
            ExecutionRoleArn = start.AttrArn,
            TaskRoleArn = role.AttrArn,
            Volumes = new CfnTaskDefinition.VolumeProperty[] { new() { Name = "home" }, new() { Name = "temporary" } }.Concat(host
                ? [proc] : []).ToArray(),
            ContainerDefinitions = containers.ToArray(),
        });
    }

    private CfnTaskDefinition.ContainerDefinitionProperty Container(
        string name, string script, CfnLogGroup logs, bool host, CfnTaskDefinition.SecretProperty[]? secrets, Dictionary<string,
            string>? settings = null,
        bool afterFiles = false, params int[] ports) => new()
        {
            Name = name,
            Image = $"{_data.Image.AttrRepositoryUri}@{_image.ValueAsString}",
            Essential = name != "files",
            EntryPoint = ["/usr/bin/tini", "--", "/bin/sh", "-ec"],
            Command = [script],
            User = "10001:10001",
            Privileged = false,
            ReadonlyRootFilesystem = true,
            // With them a program of the image gives each sandbox a user id of its own; the service itself has none.
            LinuxParameters = Linux(host ? ["SETUID", "SETGID"] : null),
            LogConfiguration = Log(logs, name),
            Secrets = secrets,
            Environment = settings?.Select(each => new CfnTaskDefinition.KeyValuePairProperty { Name = each.Key, Value = each.Value })
                .ToArray(),
            DependsOn = afterFiles ? new[] { new CfnTaskDefinition.ContainerDependencyProperty { ContainerName = "files",
                Condition = "SUCCESS" } } : null,
            PortMappings = ports.Length == 0 ? null : ports.Select(port =>
                new CfnTaskDefinition.PortMappingProperty { ContainerPort = port }).ToArray(),
            StopTimeout = 120,
            Ulimits = new[] { new CfnTaskDefinition.UlimitProperty { Name = "nofile", SoftLimit = 65_536, HardLimit = 65_536 } },
            MountPoints = new (string Volume, string Path)[] { ("home", Home), ("temporary", "/tmp") }.Concat(host
                ? [("proc", "/run/proc")] : [])
                .Select(each => new CfnTaskDefinition.MountPointProperty { SourceVolume = each.Volume, ContainerPath = each.Path })
                    .ToArray(),
            HealthCheck = ports.Length == 0 ? null : new CfnTaskDefinition.HealthCheckProperty
            {
                Command = ["CMD", "/usr/local/bin/netautomation-healthy", $"https://127.0.0.1:{NetworkStack.Peer}/healthz/live"],
                Interval = 30, Timeout = 5, Retries = 3, StartPeriod = 60,
            },
        };

    private CfnTaskDefinition.ContainerDefinitionProperty Collector(CfnLogGroup logs) => new()
    {
        Name = "collector",
        Image = $"{_data.CollectorImage.AttrRepositoryUri}@{_collector.ValueAsString}",
        Essential = false,
        User = "10001:10001",
        Privileged = false,
        ReadonlyRootFilesystem = true,
        LinuxParameters = Linux(null),
        LogConfiguration = Log(logs, "collector"),
        Environment = new[]
        {
            new CfnTaskDefinition.KeyValuePairProperty
            {
                Name = "AOT_CONFIG_CONTENT", Value = Text("collector.yaml")
                    .Replace("DECLARATIONS", Instruments.Declarations(), StringComparison.Ordinal),
            },
            new CfnTaskDefinition.KeyValuePairProperty { Name = "METRICS_NAMESPACE", Value = MetricsOf(Cell) },
            new CfnTaskDefinition.KeyValuePairProperty { Name = "METRICS_LOG_GROUP", Value = _metrics.Ref },
        },
    };

    private static CfnTaskDefinition.LinuxParametersProperty Linux(string[]? add) => new()
    {
        InitProcessEnabled = false,
        Capabilities = new CfnTaskDefinition.KernelCapabilitiesProperty { Drop = ["ALL"], Add = add },
    };

    private CfnTaskDefinition.LogConfigurationProperty Log(CfnLogGroup group, string prefix) => new()
    {
        LogDriver = "awslogs",
        Options = new Dictionary<string, string>
        {
            ["awslogs-group"] = group.Ref, ["awslogs-region"] = Region, ["awslogs-stream-prefix"] = prefix, ["mode"] = "non-blocking",
            ["max-buffer-size"] = "16m",
        },
    };

    private CfnLogGroup Logs(string name) => Kept(new CfnLogGroup(this, $"{Id(name)}Logs", new CfnLogGroupProps
    {
        LogGroupName = $"/netautomation/{Cell}/{name}", RetentionInDays = 90, KmsKeyId = _network.Key.AttrArn,
    }));

    /// <summary>plain-worker becomes PlainWorker.</summary>
    private static string Id(string name) => string.Concat(name.Split('-').Select(part => char.ToUpperInvariant(part[0]) + part[1..]));

    private static string Text(string name)
    {
        using var reader = new StreamReader(typeof(ServicesStack).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
