using Amazon.CDK;
using Amazon.CDK.AWS.ECS;
using Amazon.CDK.AWS.IAM;
using Amazon.CDK.AWS.Logs;

namespace NetAutomation.Deploy;

/// <summary>A stack with tasks of the service's image: each with its log and its roles, as nobody, and with a file system that it cannot
/// change but for its home.</summary>
internal abstract class TaskStack : CellStack
{
    protected const string Home = "/var/lib/netautomation", Digest = "^sha256:[0-9a-f]{64}$";

    private readonly NetworkStack _network;
    private readonly DataStack _data;
    private readonly CfnParameter _image;

    protected TaskStack(App app, string cell, string concern, string description, NetworkStack network, DataStack data)
        : base(app, cell, concern, description)
    {
        (_network, _data) = (network, data);
        _image = Parameter("ImageDigest", "Digest of the service's image in its repository.", Digest);
    }

    protected string Cluster => _network.Cluster.Ref;

    /// <summary>How a role of the database comes in: over TLS to the server of that name alone, by the password in a file.</summary>
    protected string Connection(string role) =>
        $"Host={_data.Database.AttrEndpointAddress};Port={_data.Database.AttrEndpointPort};"
        + $"Database={DataStack.DatabaseName};Username={role};"
        + $"Passfile={Home}/pgpass;SSL Mode=VerifyFull;Root Certificate=/etc/netautomation/authorities/rds.pem;Maximum Pool Size=60";

    protected CfnLogGroup Logs(string name) => Kept(new CfnLogGroup(this, $"{Id(name)}Logs", new CfnLogGroupProps
    {
        LogGroupName = $"/netautomation/{Cell}/{name}", RetentionInDays = 90, KmsKeyId = _network.LogKey.AttrArn,
    }));

    protected CfnRole TaskRole(string id, params Dictionary<string, object>[] may) =>
        Role(id, "ecs-tasks.amazonaws.com", Arn("ecs", "*"), may);

    protected CfnTaskDefinition Task(
        string name, int cpu, int memory, bool onHost, CfnLogGroup logs, CfnRole role, IReadOnlyList<SecretValue> secrets,
        params CfnTaskDefinition.ContainerDefinitionProperty[] containers)
    {
        var start = TaskRole(
            $"{Id(name)}StartRole",
            Allow(["ecr:GetAuthorizationToken"], "*"),
            Allow(
                ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                new[] { _data.Image.AttrArn, _data.CollectorImage.AttrArn }),
            Allow(["logs:CreateLogStream", "logs:PutLogEvents"], logs.AttrArn),
            Allow(["secretsmanager:GetSecretValue"], secrets.Select(each => each.Secret).Distinct(StringComparer.Ordinal).ToArray()),
            Allow(["kms:Decrypt"], _data.CellKey.AttrArn));
        CfnTaskDefinition.VolumeProperty[] volumes = [new() { Name = "home" }, new() { Name = "temporary" }];
        if (onHost)
        {
            // A new proc can be mounted in a namespace only by who sees a whole one, and Docker hides parts of a container's own.
            var proc = new CfnTaskDefinition.HostVolumePropertiesProperty { SourcePath = "/proc" };
            volumes = [.. volumes, new() { Name = "proc", Host = proc }];
        }

        return new CfnTaskDefinition(this, $"{Id(name)}Task", new CfnTaskDefinitionProps
        {
            Family = $"netautomation-{Cell}-{name}",
            Cpu = $"{cpu}",
            Memory = $"{memory}",
            NetworkMode = "awsvpc",
            RequiresCompatibilities = [onHost ? "EC2" : "FARGATE"],
            ExecutionRoleArn = start.AttrArn,
            TaskRoleArn = role.AttrArn,
            Volumes = volumes,
            ContainerDefinitions = containers,
        });
    }

    /// <summary>A container of the service's image that runs a script of the shell.</summary>
    protected CfnTaskDefinition.ContainerDefinitionProperty Container(string name, string script, CfnLogGroup logs) =>
        Confined(new CfnTaskDefinition.ContainerDefinitionProperty
        {
            Name = name,
            Image = $"{_data.Image.AttrRepositoryUri}@{_image.ValueAsString}",
            EntryPoint = ["/usr/bin/tini", "--", "/bin/sh", "-ec"],
            Command = [script],
            StopTimeout = 120,
            Ulimits = new[] { new CfnTaskDefinition.UlimitProperty { Name = "nofile", SoftLimit = 65_536, HardLimit = 65_536 } },
            MountPoints = new[] { Mount("home", Home), Mount("temporary", "/tmp") },
        }, logs);

    /// <summary>What holds for every container, whoever made its image.</summary>
    protected CfnTaskDefinition.ContainerDefinitionProperty Confined(
        CfnTaskDefinition.ContainerDefinitionProperty container, CfnLogGroup logs)
    {
        container.User = "10001:10001";
        container.Privileged = false;
        container.ReadonlyRootFilesystem = true;
        container.LinuxParameters = Capabilities(null);
        container.LogConfiguration = new CfnTaskDefinition.LogConfigurationProperty
        {
            LogDriver = "awslogs",
            Options = new Dictionary<string, string>
            {
                ["awslogs-group"] = logs.Ref, ["awslogs-region"] = Region, ["awslogs-stream-prefix"] = container.Name,
                ["mode"] = "non-blocking", ["max-buffer-size"] = "16m",
            },
        };
        return container;
    }

    protected static CfnTaskDefinition.LinuxParametersProperty Capabilities(string[]? add) => new()
    {
        Capabilities = new CfnTaskDefinition.KernelCapabilitiesProperty { Drop = ["ALL"], Add = add },
    };

    protected static CfnTaskDefinition.MountPointProperty Mount(string volume, string path) =>
        new() { SourceVolume = volume, ContainerPath = path };

    protected static CfnTaskDefinition.KeyValuePairProperty Variable(string name, string value) => new() { Name = name, Value = value };

    /// <summary>plain-worker becomes PlainWorker.</summary>
    protected static string Id(string name) => string.Concat(name.Split('-').Select(part => char.ToUpperInvariant(part[0]) + part[1..]));

    /// <summary>A variable of the environment that is a secret, or a member of one.</summary>
    /// <param name="From">As Amazon ECS names it.</param>
    /// <param name="Secret">ARN of the whole.</param>
    protected sealed record SecretValue(string Name, string From, string Secret)
    {
        public static SecretValue Whole(string name, string arn) => new(name, arn, arn);

        public static SecretValue Member(string name, string arn, string member) => new(name, $"{arn}:{member}::", arn);

        public CfnTaskDefinition.SecretProperty Property => new() { Name = Name, ValueFrom = From };
    }
}
