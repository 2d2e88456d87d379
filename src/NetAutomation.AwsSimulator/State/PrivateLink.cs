using System.Net;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.State;

/// <summary>Endpoint services and endpoints: every state change of an endpoint is in this class.</summary>
internal sealed partial class PrivateLink
{
    private static readonly TimeSpan _deletedStaysListed = TimeSpan.FromHours(1);

    private readonly Lock _gate = new();
    private readonly SimulatorOptions _options;
    private readonly TimeProvider _clock;
    private readonly Ec2Faults _faults;
    private readonly Dictionary<string, EndpointService> _services;
    private readonly Dictionary<string, VpcEndpoint> _byId = new(StringComparer.Ordinal);
    private readonly PriorityQueue<VpcEndpoint, DateTimeOffset> _transitions = new();
    private List<VpcEndpoint> _endpoints = [];
    private long _sequence;
    private uint _nextAddress;

    public PrivateLink(SimulatorOptions options, TimeProvider clock, Ec2Faults faults)
    {
        (_options, _clock, _faults) = (options, clock, faults);
        _services = options.Services.ToDictionary(s => s.Id, s => new EndpointService(s, options.Region), StringComparer.Ordinal);
        foreach (var service in options.Services)
        {
            ModifyPrincipals(_services[service.Id], service.AllowedPrincipals, []);
        }
    }

    /// <summary>Called when an endpoint is created; refuses its address by returning false.</summary>
    public Func<VpcEndpoint, bool> Opening { get; set; } = _ => true;

    /// <summary>Called when an endpoint loses its open flows; the flag says whether its listeners go too.</summary>
    public Action<VpcEndpoint, bool> Cutting { get; set; } = (_, _) => { };

    /// <summary>Called with the event that notifications carry: Connect, Accept, Reject, Delete.</summary>
    public Action<VpcEndpoint, string> Notify { get; set; } = (_, _) => { };

    public IReadOnlyCollection<EndpointService> Services => _services.Values;

    public string Region => _options.Region;

    public EndpointService ServiceOf(string account, string id) =>
        account == _options.ProviderAccount && _services.TryGetValue(id, out var service) ? service :
        throw new AwsException("InvalidVpcEndpointServiceId.NotFound", $"The VpcEndpointService Id '{id}' does not exist");

    /// <summary>All rows in order of creation, as their owners see them; transitions that are due are applied first.</summary>
    public IReadOnlyList<VpcEndpoint> Snapshot() => Read(() => (IReadOnlyList<VpcEndpoint>)[.. _endpoints]);

    /// <summary>
    /// The connections that the provider's Describe shows, in order of creation. With a configured lag, owners see changes earlier.
    /// </summary>
    public IReadOnlyList<(VpcEndpoint Endpoint, string State)> Connections() => Read(() =>
    {
        var now = _clock.GetUtcNow();
        var shown = new List<(VpcEndpoint, string)>(_endpoints.Count);
        foreach (var endpoint in _endpoints)
        {
            while (endpoint.Showing.TryPeek(out var next) && next.At <= now)
            {
                endpoint.Shown = endpoint.Showing.Dequeue().State;
            }
            if (endpoint.Shown is { } state)
            {
                shown.Add((endpoint, state));
            }
        }
        return (IReadOnlyList<(VpcEndpoint, string)>)shown;
    });

    public bool IsAvailable(VpcEndpoint endpoint) => Read(() => endpoint.State == EndpointState.Available);

    public VpcEndpoint Endpoint(string id) => Read(() => _byId.GetValueOrDefault(id))
        ?? throw new AwsException("NotFound", $"There is no endpoint '{id}'.", 404);

    public VpcEndpoint Create(EndpointBirth birth)
    {
        lock (_gate)
        {
            var service =
                _services.Values.FirstOrDefault(
                    s => (s.Name == birth.Service || s.Id == birth.Service) && s.Admits(birth.Account) && s.Reaches(birth.Region))
                ?? throw new AwsException("InvalidServiceName", $"The Vpc Endpoint Service '{birth.Service}' does not exist");
            if (birth.Consumer.ClientToken is { } token
                && _endpoints.Find(e => e.Owner == birth.Account && e.Consumer.ClientToken == token) is { } known)
            {
                return known;
            }
            return Add(birth, service, "vpce-" + NewId());
        }
    }

    /// <summary>The same id with another owner, which AWS never does: it shows where a caller trusts the id alone.</summary>
    public VpcEndpoint Recreate(VpcEndpoint old, string owner, TimeSpan? visibleAfter)
    {
        lock (_gate)
        {
            Advance();
            Forget(old);
            return Add(
                new EndpointBirth(owner, old.Service.Id, old.Region) { Listens = false, VisibleAfter = visibleAfter }, old.Service, old.Id);
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
        Notify(endpoint, "Accept");
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
        Notify(endpoint, "Reject");
        return null;
    });

    public AwsException? Delete(string account, string id, TimeSpan? visibleAfter = null)
    {
        lock (_gate)
        {
            Advance();
            if (!_byId.TryGetValue(id, out var endpoint) || endpoint.Owner != account || endpoint.State == EndpointState.Deleted)
            {
                return new AwsException("InvalidVpcEndpoint.NotFound", $"The Vpc Endpoint Id '{id}' does not exist");
            }
            if (endpoint.State != EndpointState.Deleting)
            {
                Move(endpoint, EndpointState.Deleting, EndpointState.Deleted, visibleAfter);
                Cutting(endpoint, true);
                Notify(endpoint, "Delete");
            }
            return null;
        }
    }

    /// <summary>A change that AWS makes by itself.</summary>
    public void Put(VpcEndpoint endpoint, string state, TimeSpan? visibleAfter)
    {
        if (state is not (EndpointState.PendingAcceptance or EndpointState.Available or EndpointState.Rejected or EndpointState.Failed
            or EndpointState.Expired or EndpointState.Deleted))
        {
            throw new AwsException("InvalidRequest", $"An endpoint cannot be put into state '{state}'.");
        }
        lock (_gate)
        {
            Advance();
            Move(endpoint, state, null, visibleAfter);
            if (state != EndpointState.Available)
            {
                Cutting(endpoint, state == EndpointState.Deleted);
            }
        }
    }

    public IReadOnlyList<VpcEndpoint> Choose(EndpointChoice choice)
    {
        if (choice.VpceIds is null && choice.Share is null)
        {
            throw new AwsException("InvalidRequest", "vpceIds or share is required.");
        }
        Random chance = new(choice.Seed ?? 1);
        var asked = choice.VpceIds?.ToHashSet(StringComparer.Ordinal);
        return [.. Snapshot().Where(e => (asked is null || asked.Contains(e.Id))
            && (choice.Account is null || e.Owner == choice.Account)
            && (choice.States is null || choice.States.Contains(e.State, StringComparer.Ordinal))
            && (choice.Share is not { } share || chance.NextDouble() < share))];
    }

    /// <summary>Set algebra: adding a present or removing a missing principal changes nothing. Answers what was added.</summary>
    public List<KeyValuePair<string, string>> ModifyPrincipals(
        EndpointService service, IReadOnlyList<string> add, IReadOnlyList<string> remove)
    {
        if (add.Concat(remove).FirstOrDefault(p => p != "*" && !PrincipalArn().IsMatch(p)) is { } bad)
        {
            throw new AwsException("InvalidPrincipal", $"Invalid Principal: '{bad}'");
        }
        lock (_gate)
        {
            var added = add.Distinct(StringComparer.Ordinal).Select(p => KeyValuePair.Create(p, "vpce-svc-perm-" + NewId()))
                .Where(p => service.Allow(p.Key, p.Value)).ToList();
            foreach (var principal in remove)
            {
                service.Disallow(principal);
            }
            return added;
        }
    }

    public List<KeyValuePair<string, string>> PrincipalsOf(EndpointService service)
    {
        lock (_gate)
        {
            return [.. service.Principals];
        }
    }

    /// <summary>AWS reads the TXT record once, a moment after this call.</summary>
    public void StartDnsVerification(EndpointService service)
    {
        lock (_gate)
        {
            var dns = DnsOf(service);
            dns.State = "pendingVerification";
            dns.VerifiesAt = _clock.GetUtcNow().AddMilliseconds(_options.TransitionMilliseconds);
        }
    }

    /// <param name="value">Null removes the record.</param>
    public void PublishTxt(EndpointService service, string? value)
    {
        lock (_gate)
        {
            DnsOf(service).Published = value;
        }
    }

    public string DnsState(EndpointService service)
    {
        lock (_gate)
        {
            var dns = DnsOf(service);
            if (dns.VerifiesAt <= _clock.GetUtcNow())
            {
                dns.State = dns.Published == dns.TxtValue ? "verified" : "failed";
                dns.VerifiesAt = null;
            }
            return dns.State;
        }
    }

    public static void RequireEndpointId(string id)
    {
        if (!EndpointId().IsMatch(id))
        {
            throw new AwsException("InvalidVpcEndpointId.Malformed", $"The Vpc Endpoint Id '{id}' is malformed");
        }
    }

    private static PrivateDnsName DnsOf(EndpointService service) => service.PrivateDns
        ?? throw new AwsException("InvalidParameter", $"The VpcEndpointService Id '{service.Id}' has no private DNS name");

    private T Read<T>(Func<T> read)
    {
        lock (_gate)
        {
            Advance();
            return read();
        }
    }

    private VpcEndpoint Add(EndpointBirth birth, EndpointService service, string id)
    {
        var endpoint = new VpcEndpoint
        {
            Sequence = ++_sequence,
            Id = id,
            ConnectionId = "vpce-con-" + NewId(),
            Owner = birth.Account,
            Service = service,
            Created = _clock.GetUtcNow(),
            Consumer = birth.Consumer,
            Region = birth.Region,
        };
        if (birth.Listens)
        {
            Open(endpoint, birth.Address);
        }
        _endpoints.Add(endpoint);
        _byId[id] = endpoint;
        var accepted = birth.State is null && !service.AcceptanceRequired;
        Move(
            endpoint, accepted ? EndpointState.Pending : birth.State ?? EndpointState.PendingAcceptance,
            accepted ? EndpointState.Available : null, birth.VisibleAfter);
        Notify(endpoint, "Connect");
        return endpoint;
    }

    private void Open(VpcEndpoint endpoint, IPAddress? address)
    {
        endpoint.Address = address ?? NextAddress();
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
    }

    private AwsException? Change(EndpointService service, string id, Func<VpcEndpoint, AwsException?> change)
    {
        lock (_gate)
        {
            Advance();
            return !_byId.TryGetValue(id, out var endpoint) || endpoint.Service != service || endpoint.State == EndpointState.Deleted
                ? new AwsException("InvalidVpcEndpoint.NotFound", $"The Vpc Endpoint Id '{id}' does not exist")
                : _faults.Item(id) ?? change(endpoint);
        }
    }

    private void Move(VpcEndpoint endpoint, string state, string? next = null, TimeSpan? visibleAfter = null)
    {
        var now = _clock.GetUtcNow();
        Enter(endpoint, state, now, visibleAfter);
        if (next is not null)
        {
            Plan(endpoint, next, now.AddMilliseconds(_options.TransitionMilliseconds));
        }
    }

    private void Enter(VpcEndpoint endpoint, string state, DateTimeOffset at, TimeSpan? visibleAfter)
    {
        endpoint.State = state;
        endpoint.Next = null;
        endpoint.Showing.Enqueue((state, at + (visibleAfter ?? TimeSpan.FromMilliseconds(_faults.Options.VisibilityMilliseconds))));
        if (state == EndpointState.Deleted)
        {
            Plan(endpoint, "", at + _deletedStaysListed);
        }
    }

    private void Plan(VpcEndpoint endpoint, string state, DateTimeOffset at)
    {
        endpoint.Next = (state, at);
        _transitions.Enqueue(endpoint, at);
    }

    private void Advance()
    {
        var now = _clock.GetUtcNow();
        var gone = false;
        while (_transitions.TryPeek(out var endpoint, out var at) && at <= now)
        {
            _transitions.Dequeue();
            if (endpoint.Next is not { } next || next.At != at)
            {
                continue;
            }
            if (next.State.Length > 0)
            {
                Enter(endpoint, next.State, at, null);
            }
            else
            {
                endpoint.State = "";
                gone = true;
                if (_byId.GetValueOrDefault(endpoint.Id) == endpoint)
                {
                    _byId.Remove(endpoint.Id);
                }
            }
        }
        if (gone)
        {
            _endpoints = _endpoints.FindAll(e => e.State.Length > 0);
        }
    }

    private void Forget(VpcEndpoint endpoint)
    {
        endpoint.Next = null;
        _endpoints.Remove(endpoint);
        Cutting(endpoint, true);
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

    [GeneratedRegex(
        @"^arn:aws[a-z-]*:(iam::\d{12}:(root|(role|user)/[^/]+)|organizations::\d{12}:ou/o-[a-z0-9]+/ou-[a-z0-9-]+)$",
        RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PrincipalArn();
}
