using System.Runtime.CompilerServices;
using Amazon.EC2;
using Amazon.EC2.Model;
using Amazon.Runtime;
using Microsoft.Extensions.Options;

namespace NetAutomation.Connections.Reconciling;

/// <summary>
/// The EC2 calls about our endpoint service (EC2 API Reference, PrivateLink). A call that EC2 throttles is repeated more and more slowly
/// until the round's deadline, so that the round does not repeat its earlier calls. The whole organization shares EC2's limits.
/// </summary>
internal sealed class EndpointServiceApi(
    IAmazonEC2 ec2, IOptions<ConnectionsOptions> options, ConnectionMetrics metrics, TimeProvider clock)
{
    private const int PageSize = 1000;
    private const int MostPrincipals = 100;
    private const int MostFailures = 3;
    private const int MostAlone = 5;
    private static readonly TimeSpan _first = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(20);

    // Codes about the request and not about an item (EC2 API Reference, error codes common to all actions).
    private static readonly string[] _ofRequest =
    [
        "AuthFailure", "Blocked", "DryRunOperation", "ExpiredToken", "IdempotentParameterMismatch", "IncompleteSignature", "InvalidAction",
        "InvalidClientTokenId", "InvalidQueryParameter", "InvalidSecurity", "InvalidVpcEndpointService", "MalformedQueryString", "Missing",
        "OptInRequired", "PendingVerification", "RequestExpired", "SignatureDoesNotMatch", "UnauthorizedOperation", "UnknownParameter",
        "UnsupportedProtocol",
    ];

    /// <summary>
    /// How many endpoints one request accepts or rejects. EC2 does not document its limit; a batch that it refuses is halved.
    /// </summary>
    public const int AtOnce = 100;

    private string ServiceId => options.Value.ServiceId;

    /// <summary>All connections of the service, page by page.</summary>
    /// <param name="unreadable">Receives the endpoints that lack an owner or a time, which identify a connection.</param>
    public async IAsyncEnumerable<List<Observed>> Connections(
        List<string> unreadable, [EnumeratorCancellation] CancellationToken cancel)
    {
        await foreach (var page in Pages(
            next => ec2.DescribeVpcEndpointConnectionsAsync(
                new DescribeVpcEndpointConnectionsRequest
                {
                    MaxResults = PageSize,
                    NextToken = next,
                    Filters = [new Filter { Name = "service-id", Values = [ServiceId] }],
                },
                cancel),
            page => page.NextToken, cancel))
        {
            var ours = (page.VpcEndpointConnections ?? []).Where(each => each.ServiceId == ServiceId).ToLookup(IsReadable);
            unreadable.AddRange(ours[false].Select(each => each.VpcEndpointId ?? ""));
            yield return [.. ours[true].Select(Read)];
        }
    }

    public async Task<HashSet<string>> Principals(CancellationToken cancel)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var page in Pages(
            next => ec2.DescribeVpcEndpointServicePermissionsAsync(
                new DescribeVpcEndpointServicePermissionsRequest { ServiceId = ServiceId, MaxResults = PageSize, NextToken = next },
                cancel),
            page => page.NextToken, cancel))
        {
            found.UnionWith((page.AllowedPrincipals ?? []).Select(each => each.Principal!));
        }

        return found;
    }

    /// <summary>Returns the code of each principal that EC2 refused.</summary>
    public Task<Dictionary<string, string>> Allow(IReadOnlyCollection<string> principals, CancellationToken cancel) => Each(
        principals, MostPrincipals,
        batch => ec2.ModifyVpcEndpointServicePermissionsAsync(
            new ModifyVpcEndpointServicePermissionsRequest { ServiceId = ServiceId, AddAllowedPrincipals = batch }, cancel),
        _ => [], cancel);

    /// <summary>Returns the code of each principal that EC2 refused.</summary>
    public Task<Dictionary<string, string>> Disallow(IReadOnlyCollection<string> principals, CancellationToken cancel) => Each(
        principals, MostPrincipals,
        batch => ec2.ModifyVpcEndpointServicePermissionsAsync(
            new ModifyVpcEndpointServicePermissionsRequest { ServiceId = ServiceId, RemoveAllowedPrincipals = batch }, cancel),
        _ => [], cancel);

    /// <summary>Returns the code of each endpoint that EC2 did not accept or reject. A 200 says nothing about the endpoints.</summary>
    public Task<Dictionary<string, string>> Decide(bool accept, IReadOnlyCollection<string> endpoints, CancellationToken cancel) => accept
        ? Each(
            endpoints, AtOnce,
            batch => ec2.AcceptVpcEndpointConnectionsAsync(
                new AcceptVpcEndpointConnectionsRequest { ServiceId = ServiceId, VpcEndpointIds = batch }, cancel),
            answer => answer.Unsuccessful, cancel)
        : Each(
            endpoints, AtOnce,
            batch => ec2.RejectVpcEndpointConnectionsAsync(
                new RejectVpcEndpointConnectionsRequest { ServiceId = ServiceId, VpcEndpointIds = batch }, cancel),
            answer => answer.Unsuccessful, cancel);

    private async Task<Dictionary<string, string>> Each<T>(
        IReadOnlyCollection<string> items, int most, Func<List<string>, Task<T>> call, Func<T, List<UnsuccessfulItem>?> unsuccessful,
        CancellationToken cancel)
    {
        var alone = 0;
        var faults = new Dictionary<string, string>(StringComparer.Ordinal);
        var open = new Stack<string[]>(items.Chunk(most).Reverse());
        while (open.TryPop(out var batch))
        {
            try
            {
                var answer = await Patiently(() => call([.. batch]), cancel);
                alone = 0;
                foreach (var item in unsuccessful(answer) ?? [])
                {
                    faults[item.ResourceId ?? batch[0]] = item.Error?.Code ?? "unknown";
                }
            }
            catch (AmazonEC2Exception fault) when (IsOfItem(fault) && batch.Length > 1)
            {
                // EC2 refuses a whole request for one bad item. Halving finds the item, so that it delays no other.
                open.Push(batch[(batch.Length / 2)..]);
                open.Push(batch[..(batch.Length / 2)]);
            }
            catch (AmazonEC2Exception fault) when (IsOfItem(fault))
            {
                faults[batch[0]] = fault.ErrorCode;
                // A code that names no item and comes for several items in a row is about the request after all.
                if (++alone > 1 && alone == Math.Min(items.Count, MostAlone)
                    && !fault.ErrorCode.StartsWith("Invalid", StringComparison.Ordinal))
                {
                    throw;
                }
            }
        }

        return faults;
    }

    private async IAsyncEnumerable<T> Pages<T>(
        Func<string?, Task<T>> ask, Func<T, string?> nextToken, [EnumeratorCancellation] CancellationToken cancel)
    {
        string? next = null;
        do
        {
            var page = await Patiently(() => ask(next), cancel);
            yield return page;
            next = nextToken(page);
        }
        while (!string.IsNullOrEmpty(next));
    }

    private async Task<T> Patiently<T>(Func<Task<T>> call, CancellationToken cancel)
    {
        var (throttled, failed) = (0, 0);
        while (true)
        {
            try
            {
                return await call();
            }
            catch (AmazonServiceException fault) when (IsThrottle(fault))
            {
                throttled++;
                metrics.Throttled(fault.ErrorCode ?? "unknown");
            }
            catch (Exception fault) when (IsPassing(fault) && failed < MostFailures && !cancel.IsCancellationRequested)
            {
                failed++;
            }

            var wait = Math.Min(_first.TotalMilliseconds * Math.Pow(2, Math.Min(throttled + failed, 10)), _longest.TotalMilliseconds);
            await Task.Delay(TimeSpan.FromMilliseconds(wait * (0.5 + (Random.Shared.NextDouble() / 2))), clock, cancel);
        }
    }

    private static bool IsOfItem(AmazonEC2Exception fault) =>
        (int)fault.StatusCode == 400 && fault.ErrorCode is { } code
            && !Array.Exists(_ofRequest, start => code.StartsWith(start, StringComparison.Ordinal));

    private static bool IsThrottle(AmazonServiceException fault) =>
        fault.ErrorCode is { } code
            && (code is "RequestLimitExceeded" or "EC2ThrottledException" or "SlowDown"
                || code.StartsWith("Throttl", StringComparison.Ordinal));

    private static bool IsPassing(Exception fault) => fault is HttpRequestException or IOException
        || (fault is AmazonServiceException service && (int)service.StatusCode >= 500);

    private static bool IsReadable(VpcEndpointConnection each) =>
        each is { VpcEndpointId.Length: > 0, VpcEndpointOwner.Length: > 0, CreationTimestamp: not null };

    private static Observed Read(VpcEndpointConnection each) => new(
        each.ServiceId!, each.VpcEndpointId!, each.VpcEndpointOwner!, new DateTimeOffset(each.CreationTimestamp!.Value.ToUniversalTime()),
        each.VpcEndpointState?.Value ?? "unknown", each.VpcEndpointConnectionId, each.VpcEndpointRegion)
    {
        Tags = (each.Tags ?? []).Where(tag => tag.Key is not null).GroupBy(tag => tag.Key!, StringComparer.Ordinal)
            .ToDictionary(same => same.Key, same => same.Last().Value ?? "", StringComparer.Ordinal),
    };
}
