using System.Net;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.State;

/// <summary>Endpoint services and endpoints: every state change of an endpoint is in this class.</summary>
internal sealed partial class PrivateLink
{
    private static readonly TimeSpan DeletedStaysListed = TimeSpan.FromHours(1);

    private readonly Lock _gate = new();
    private readonly SimulatorOptions _options;
    private readonly TimeProvider _clock;
    private readonly Dictionary<string, EndpointService> _services;
    private readonly List<VpcEndpoint> _endpoints = [];
    private long _sequence;
    private uint _nextAddress;

    public PrivateLink(SimulatorOptions options, TimeProvider clock)
    {
        _options = options;
        _clock = clock;
        _services = options.Services.ToDictionary(s => s.Id, s => new EndpointService(s.Id, options.Region, s.AcceptanceRequired), StringComparer.Ordinal);
        foreach (var service in options.Services)
        {
            ModifyPrincipals(_services[service.Id], service.AllowedPrincipals, []);
        }
    }

    /// <summary>Called when an endpoint comes into being; refuses its address by returning false.</summary>
    public Func<VpcEndpoint, bool> Opening { get; set; } = _ => true;

    /// <summary>Called when an endpoint loses its open flows; the flag says whether its listeners go too.</summary>
    public Action<VpcEndpoint, bool> Cutting { get; set; } = (_, _) => { };

    public IReadOnlyCollection<EndpointService> Services => _services.Values;

    public EndpointService ServiceOf(string account, string id) =>
        account == _options.ProviderAccount && _services.TryGetValue(id, out var service) ? service :
        throw new AwsException("InvalidVpcEndpointServiceId.NotFound", $"The VpcEndpointService Id '{id}' does not exist");

    /// <summary>All rows in order of creation, transitions that are due applied first.</summary>
    public IReadOnlyList<VpcEndpoint> Snapshot()
    {
        lock (_gate)
        {
            Advance();
            return [.. _endpoints];
        }
    }

    public bool IsAvailable(VpcEndpoint endpoint)
    {
        lock (_gate)
        {
            Advance();
            return endpoint.State == EndpointState.Available;
        }
    }

    public VpcEndpoint Create(string account, string serviceName, ConsumerSide consumer, IPAddress? address = null)
    {
        lock (_gate)
        {
            var service = _services.Values.FirstOrDefault(s => (s.Name == serviceName || s.Id == serviceName) && s.Admits(account))
                ?? throw new AwsException("InvalidServiceName", $"The Vpc Endpoint Service '{serviceName}' does not exist");
            if (consumer.ClientToken is { } token && _endpoints.Find(e => e.Owner == account && e.Consumer.ClientToken == token) is { } known)
            {
                return known;
            }
            var endpoint = new VpcEndpoint
            {
                Sequence = ++_sequence,
                Id = "vpce-" + NewId(),
                ConnectionId = "vpce-con-" + NewId(),
                Owner = account,
                Service = service,
                Created = _clock.GetUtcNow(),
                Address = address ?? NextAddress(),
                Consumer = consumer,
                Region = _options.Region,
            };
            var tries = 1000;
            while (!Opening(endpoint))
            {
                // Another simulator on this machine may hold the address.
                if (address is not null || --tries == 0)
                {
                    throw new AwsException("AddressInUse", $"The endpoint cannot listen on {endpoint.Address}.", 409);
                }
                endpoint.Address = NextAddress();
            }
            _endpoints.Add(endpoint);
            if (!service.AcceptanceRequired)
            {
                Move(endpoint, EndpointState.Pending, EndpointState.Available);
            }
            return endpoint;
        }
    }

    /// <summary>Null when accepted, otherwise the item's error.</summary>
    public AwsException? Accept(EndpointService service, string id) => Change(service, id, endpoint =>
    {
        if (endpoint.State != EndpointState.PendingAcceptance)
        {
            return WrongState(endpoint);
        }
        Move(endpoint, EndpointState.Pending, EndpointState.Available);
        return null;
    });

    public AwsException? Reject(EndpointService service, string id) => Change(service, id, endpoint =>
    {
        if (endpoint.State is not (EndpointState.PendingAcceptance or EndpointState.Pending or EndpointState.Available))
        {
            return WrongState(endpoint);
        }
        Move(endpoint, EndpointState.Rejected);
        Cutting(endpoint, false);
        return null;
    });

    public AwsException? Delete(string account, string id)
    {
        lock (_gate)
        {
            Advance();
            if (_endpoints.Find(e => e.Id == id && e.Owner == account) is not { } endpoint || endpoint.State == EndpointState.Deleted)
            {
                return new AwsException("InvalidVpcEndpoint.NotFound", $"The Vpc Endpoint Id '{id}' does not exist");
            }
            if (endpoint.State != EndpointState.Deleting)
            {
                Move(endpoint, EndpointState.Deleting, EndpointState.Deleted);
                Cutting(endpoint, true);
            }
            return null;
        }
    }

    /// <summary>Set algebra: adding a present or removing a missing principal changes nothing. Answers what was added.</summary>
    public List<KeyValuePair<string, string>> ModifyPrincipals(EndpointService service, IReadOnlyList<string> add, IReadOnlyList<string> remove)
    {
        if (add.Concat(remove).FirstOrDefault(p => p != "*" && !PrincipalArn().IsMatch(p)) is { } bad)
        {
            throw new AwsException("InvalidPrincipal", $"Invalid Principal: '{bad}'");
        }
        lock (_gate)
        {
            var added = add.Distinct(StringComparer.Ordinal).Where(p => service.Principals.TryAdd(p, "vpce-svc-perm-" + NewId())).ToList();
            foreach (var principal in remove)
            {
                service.Principals.Remove(principal);
            }
            return [.. service.Principals.Where(p => added.Contains(p.Key))];
        }
    }

    public List<KeyValuePair<string, string>> PrincipalsOf(EndpointService service)
    {
        lock (_gate)
        {
            return [.. service.Principals];
        }
    }

    public static void RequireEndpointId(string id)
    {
        if (!EndpointId().IsMatch(id))
        {
            throw new AwsException("InvalidVpcEndpointId.Malformed", $"The Vpc Endpoint Id '{id}' is malformed");
        }
    }

    private AwsException? Change(EndpointService service, string id, Func<VpcEndpoint, AwsException?> change)
    {
        lock (_gate)
        {
            Advance();
            return _endpoints.Find(e => e.Id == id && e.Service == service && e.State != EndpointState.Deleted) is { } endpoint
                ? change(endpoint)
                : new AwsException("InvalidVpcEndpoint.NotFound", $"The Vpc Endpoint Id '{id}' does not exist");
        }
    }

    private void Move(VpcEndpoint endpoint, string state, string? next = null)
    {
        endpoint.State = state;
        endpoint.Next = next is null ? null : (next, _clock.GetUtcNow().AddMilliseconds(_options.TransitionMilliseconds));
    }

    private void Advance()
    {
        var now = _clock.GetUtcNow();
        foreach (var endpoint in _endpoints)
        {
            if (endpoint.Next is { } next && next.At <= now)
            {
                endpoint.State = next.State;
                endpoint.Next = null;
                if (next.State == EndpointState.Deleted)
                {
                    endpoint.Next = ("", now + DeletedStaysListed);
                }
            }
        }
        _endpoints.RemoveAll(e => e.State.Length == 0);
    }

    private IPAddress NextAddress()
    {
        var n = _nextAddress++;
        var network = IPAddress.Parse(_options.LoadBalancer.EndpointNetwork).GetAddressBytes();
        return new IPAddress([network[0], network[1], (byte)(network[2] + (n / 250)), (byte)((n % 250) + 1)]);
    }

    // The code AWS uses here is not documented; callers must treat any item error as "describe again".
    private static AwsException WrongState(VpcEndpoint endpoint) =>
        new("InvalidState", $"The Vpc Endpoint '{endpoint.Id}' is in state {endpoint.State}");

    private static string NewId() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(9))[..17];

    [GeneratedRegex("^vpce-[0-9a-f]{8}([0-9a-f]{9})?$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex EndpointId();

    [GeneratedRegex(@"^arn:aws[a-z-]*:iam::\d{12}:(root|(role|user)/[^/]+)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PrincipalArn();
}
