using System.Globalization;
using System.Net;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.State;

/// <summary>Target groups of the one load balancer: registration and every change of a target's health.</summary>
internal sealed class LoadBalancer
{
    private readonly Lock _gate = new();
    private readonly SimulatorOptions _options;
    private readonly TimeProvider _clock;
    private readonly List<TargetGroup> _groups = [];
    private uint _turn;

    public LoadBalancer(SimulatorOptions options, TimeProvider clock)
    {
        _options = options;
        _clock = clock;
        foreach (var group in options.LoadBalancer.TargetGroups)
        {
            var arn = $"{ArnPrefix(options)}:targetgroup/{group.Name}/{_groups.Count + 1:x16}";
            _groups.Add(new TargetGroup(group, arn) { InUse = options.LoadBalancer.Listeners.Any(l => l.TargetGroup == group.Name) });
            Register(_groups[^1], group.Targets.Select(t => (t.Id, t.Port)));
        }
    }

    /// <summary>Called when flows to a target must be cut.</summary>
    public Action<Target> Cutting { get; set; } = _ => { };

    public IReadOnlyList<TargetGroup> Groups => _groups;

    public static string ArnOf(SimulatorOptions options) =>
        $"{ArnPrefix(options)}:loadbalancer/net/edge/00000000000000aa";

    public TargetGroup Group(string account, string arn) =>
        account == _options.ProviderAccount && _groups.Find(g => g.Arn == arn) is { } group ? group :
        throw new AwsException("TargetGroupNotFound", $"Target groups '{arn}' not found");

    public TargetGroup GroupNamed(string name) => _groups.Find(g => g.Name == name)
        ?? throw new ArgumentException($"A listener names target group '{name}', which is not configured.", nameof(name));

    public T Read<T>(Func<T> read)
    {
        lock (_gate)
        {
            return read();
        }
    }

    public void Register(TargetGroup group, IEnumerable<(string Id, int? Port)> targets)
    {
        var parsed = targets.Select(t => Parse(group, t)).ToList();
        lock (_gate)
        {
            foreach (var at in parsed.Where(at => !group.Targets.Exists(t => t.EndPoint.Equals(at) && t.State != "draining")))
            {
                group.Targets.RemoveAll(t => t.EndPoint.Equals(at));
                group.Targets.Add(new Target(at.Address, at.Port, _clock.GetUtcNow()));
            }
        }
    }

    /// <summary>Ignores a target that is not registered, as ELBv2 does.</summary>
    public void Deregister(TargetGroup group, IEnumerable<(string Id, int? Port)> targets)
    {
        var parsed = targets.Select(t => Parse(group, t)).ToList();
        lock (_gate)
        {
            var delay = int.Parse(group.Attributes[TargetGroup.DeregistrationDelay], CultureInfo.InvariantCulture);
            foreach (var target in group.Targets.Where(t => t.State != "draining" && parsed.Contains(t.EndPoint)))
            {
                Set(target, "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress");
                target.DrainedAt = _clock.GetUtcNow().AddSeconds(delay);
            }
            RemoveDrained(group);
        }
    }

    public void SetAttributes(TargetGroup group, IReadOnlyList<(string Key, string Value)> attributes)
    {
        foreach (var (key, value) in attributes)
        {
            var valid = group.Attributes.TryGetValue(key, out var old)
                && (old is not ("true" or "false") || value is "true" or "false")
                && (key != TargetGroup.DeregistrationDelay
                    || (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var s) && s <= 3600));
            if (!valid)
            {
                throw new AwsException("ValidationError", $"Target group attribute key '{key}' with value '{value}' is not recognized");
            }
        }
        lock (_gate)
        {
            foreach (var (key, value) in attributes)
            {
                group.Attributes[key] = value;
            }
        }
    }

    /// <summary>Round robin over healthy targets; with none healthy every registered one gets traffic (fail open).</summary>
    public (Target Target, bool ProxyProtocol)? Pick(TargetGroup group)
    {
        lock (_gate)
        {
            var able = group.Targets.FindAll(t => t.State == "healthy");
            if (able.Count == 0)
            {
                able = group.Targets.FindAll(t => t.State != "draining");
            }
            return able.Count == 0 ? null : (able[(int)(_turn++ % (uint)able.Count)], group.Is(TargetGroup.ProxyProtocol));
        }
    }

    /// <summary>Marks and answers the targets whose check is due; removes drained ones.</summary>
    public List<(TargetGroup Group, Target Target, bool ProxyProtocol)> TakeDueChecks()
    {
        lock (_gate)
        {
            var now = _clock.GetUtcNow();
            var due = new List<(TargetGroup, Target, bool)>();
            foreach (var group in _groups.Where(g => g.InUse))
            {
                RemoveDrained(group);
                foreach (var target in group.Targets.Where(t => !t.Checking && t.NextCheck <= now && t.State != "draining"))
                {
                    target.Checking = true;
                    due.Add((group, target, group.Is(TargetGroup.ProxyProtocol)));
                }
            }
            return due;
        }
    }

    public void Checked(TargetGroup group, Target target, (string Reason, string Description)? failure)
    {
        lock (_gate)
        {
            target.Checking = false;
            target.NextCheck = _clock.GetUtcNow().AddMilliseconds(group.HealthCheck.IntervalMilliseconds);
            (target.Passed, target.Failed) = failure is null ? (target.Passed + 1, 0) : (0, target.Failed + 1);
            switch (target.State)
            {
                case "initial" when failure is null:
                case "unhealthy" when target.Passed >= group.HealthCheck.HealthyThreshold:
                    Set(target, "healthy", null, null);
                    break;
                case "initial" or "healthy" when target.Failed >= group.HealthCheck.UnhealthyThreshold:
                    Set(target, "unhealthy", failure!.Value.Reason, failure.Value.Description);
                    if (group.Is(TargetGroup.UnhealthyCuts))
                    {
                        Cutting(target);
                    }
                    break;
                case "initial":
                    Set(target, "initial", "Elb.InitialHealthChecking", "Initial health checks in progress");
                    break;
            }
        }
    }

    public static IPEndPoint Parse(TargetGroup group, (string Id, int? Port) target) =>
        IPAddress.TryParse(target.Id, out var address) && (target.Port ?? group.Port) is > 0 and <= 65535 and var port
            ? new IPEndPoint(address, port) :
        throw new AwsException("InvalidTarget", $"The following targets are not valid: '{target.Id}:{target.Port ?? group.Port}'");

    private static string ArnPrefix(SimulatorOptions options) => $"arn:aws:elasticloadbalancing:{options.Region}:{options.ProviderAccount}";

    private void RemoveDrained(TargetGroup group)
    {
        foreach (var target in group.Targets.Where(t => t.DrainedAt <= _clock.GetUtcNow()).ToList())
        {
            group.Targets.Remove(target);
            if (group.Is(TargetGroup.DeregistrationCuts))
            {
                Cutting(target);
            }
        }
    }

    private static void Set(Target target, string state, string? reason, string? description) =>
        (target.State, target.Reason, target.Description) = (state, reason, description);
}
