using Amazon.CDK;
using Amazon.CDK.AWS.IAM;
using Amazon.CDK.AWS.KMS;
using Constructs;

namespace NetAutomation.Deploy;

/// <summary>
/// One concern of one cell as a template of its own. It knows no account and no Region, needs no bootstrap and has no assets, so that
/// CloudFormation takes it as it is.
/// </summary>
internal abstract class CellStack : Stack
{
    private readonly CfnParameter _boundary;

    protected CellStack(Construct scope, string cell, string concern, string description)
        : base(scope, $"netautomation-{cell}-{concern}", new StackProps
        {
            Description = $"NetAutomation, cell {cell}: {description}",
            AnalyticsReporting = false,
            Synthesizer = new DefaultStackSynthesizer(new DefaultStackSynthesizerProps { GenerateBootstrapVersionRule = false }),
        })
    {
        Cell = cell;
        Amazon.CDK.Tags.Of(this).Add("service", "netautomation");
        Amazon.CDK.Tags.Of(this).Add("cell", cell);
        _boundary = Parameter("PermissionsBoundaryArn", "The managed policy that bounds every role of the service.",
            "^arn:aws[a-z-]*:iam::.+$");
    }

    /// <summary>Three zones. Without an account, the framework counts on two.</summary>
    public override string[] AvailabilityZones => [.. Enumerable.Range(0, 3).Select(zone => Fn.Select(zone, Fn.GetAzs()))];

    protected string Cell { get; }

    /// <summary>A role that one service takes on, for this account only where AWS documents the condition.</summary>
    /// <param name="source">The ARNs in whose name the service may act, without the account's own part; null where AWS documents no such
    /// condition for this service.</param>
    protected CfnRole Role(string id, string service, string? source, params Dictionary<string, object>[] statements)
    {
        var trust = Allow(["sts:AssumeRole"], null);
        trust["Principal"] = new Dictionary<string, object> { ["Service"] = service };
        if (source is not null)
        {
            trust = By(service, trust, source);
        }

        return new CfnRole(this, id, new CfnRoleProps
        {
            AssumeRolePolicyDocument = Policy(trust),
            PermissionsBoundary = _boundary.ValueAsString,
            Policies = statements.Length == 0 ? null
                : new[] { new CfnRole.PolicyProperty { PolicyName = "own", PolicyDocument = Policy(statements) } },
        });
    }

    /// <summary>The caller acts for this account and for these ARNs of it: against the confused deputy.</summary>
    protected Dictionary<string, object> FromHere(string source) => new()
    {
        ["StringEquals"] = new Dictionary<string, object> { ["aws:SourceAccount"] = Account },
        ["ArnLike"] = new Dictionary<string, object> { ["aws:SourceArn"] = source },
    };

    protected static Dictionary<string, object> Allow(string[] actions, object? resources) => Statement("Allow", actions, resources);

    protected static Dictionary<string, object> Statement(string effect, string[] actions, object? resources)
    {
        var statement = new Dictionary<string, object> { ["Effect"] = effect, ["Action"] = actions };
        if (resources is not null)
        {
            statement["Resource"] = resources;
        }

        return statement;
    }

    protected static Dictionary<string, object> Policy(params Dictionary<string, object>[] statements) =>
        new() { ["Version"] = "2012-10-17", ["Statement"] = statements };

    /// <summary>What a service of AWS may do in the name of this account's source.</summary>
    protected Dictionary<string, object> By(string service, Dictionary<string, object> statement, string source)
    {
        statement["Principal"] = new Dictionary<string, object> { ["Service"] = service };
        statement["Condition"] = FromHere(source);
        return statement;
    }

    /// <summary>Whoever comes without TLS is refused.</summary>
    protected static Dictionary<string, object> TlsOnly(string[] actions, object resources)
    {
        var statement = Statement("Deny", actions, resources);
        statement["Principal"] = "*";
        statement["Condition"] = new Dictionary<string, object>
        {
            ["Bool"] = new Dictionary<string, object> { ["aws:SecureTransport"] = "false" },
        };
        return statement;
    }

    protected CfnParameter Parameter(string id, string description, string? pattern = null, string? standard = null,
        string type = "String") =>
        new(this, id, new CfnParameterProps { Type = type, Description = description, AllowedPattern = pattern, Default = standard });

    protected string Arn(string service, string resource) => $"arn:{Partition}:{service}:{Region}:{Account}:{resource}";

    /// <summary>A key that rotates. Who owns the account decides about it, and these may use it.</summary>
    protected CfnKey Key(string id, string description, params Dictionary<string, object>[] users) =>
        Kept(new CfnKey(this, id, new CfnKeyProps
        {
            Description = description, EnableKeyRotation = true, PendingWindowInDays = 30, KeyPolicy = Policy([OwnAccount(), .. users]),
        }));

    /// <summary>Who owns the account decides about the key by its own policies.</summary>
    private Dictionary<string, object> OwnAccount()
    {
        var statement = Allow(["kms:*"], "*");
        statement["Principal"] = new Dictionary<string, object> { ["AWS"] = $"arn:{Partition}:iam::{Account}:root" };
        return statement;
    }

    /// <summary>Stays when the stack goes: it holds what cannot be made again.</summary>
    protected static T Kept<T>(T resource, RemovalPolicy policy = RemovalPolicy.RETAIN)
        where T : CfnResource
    {
        resource.ApplyRemovalPolicy(policy);
        return resource;
    }
}
