using NetAutomation.Persistence;
using NetAutomation.Web;
using Npgsql;

namespace NetAutomation.Billing.Operators;

/// <summary>Takes back what was charged for the runs of a block version, such as one that said <c>ok</c> and was wrong.</summary>
/// <param name="Block">Slug of the block.</param>
/// <param name="Version">Its version.</param>
/// <param name="From">Runs that were settled from then on, as their receipts say.</param>
/// <param name="To">And before then.</param>
/// <param name="Reason">Why, 1 to 500 characters; the customers read it on their invoices.</param>
/// <param name="DryRun">Shows what would be taken back, and writes nothing.</param>
/// <param name="TenantId">Only of this tenant; of everyone where omitted.</param>
public sealed record ReverseRunsRequest(
    string Block, string Version, DateTimeOffset From, DateTimeOffset To, string Reason, bool DryRun = false, TenantId? TenantId = null);

/// <summary>What could not be taken back.</summary>
/// <param name="TenantId">The tenant.</param>
/// <param name="Detail">Why; what was written of it before stands.</param>
public sealed record RefusedReversal(TenantId TenantId, string Detail);

/// <summary>
/// Takes back charges, a bounded number of one tenant in each transaction, so that it may end at any step and be begun again, or run twice
/// at once: each charge is taken back once, which the keys of its correction hold.
/// </summary>
internal sealed partial class ReverseRuns(SystemDb db, ILogger<ReverseRuns> log)
{
    /// <summary>Parts of runs that one transaction takes back.</summary>
    public int Chunk { get; init; } = 500;

    /// <summary>Parts that one call takes back; the same request again goes on.</summary>
    public int Most { get; init; } = 10_000;

    /// <summary>Begins the reversal, or goes on with the one of the same request.</summary>
    public async Task<Progress> Run(ReverseRunsRequest request, OperatorCaller caller, CancellationToken cancel)
    {
        var (id, begun) = await Open(request, caller, cancel);
        var (refused, left) = (new List<RefusedReversal>(), Most);
        var tenants = await db.Query<TenantId>(
            $"with part as ({RunParts.Of(request)}) select distinct tenant_id from part where open order by 1", cancel);
        foreach (var tenant in tenants.TakeWhile(_ => left > 0))
        {
            try
            {
                var (done, bound) = await Reverse(id, request, tenant, left, caller, cancel);
                left -= done;
                if (bound)
                {
                    refused.Add(new RefusedReversal(tenant, "More would be given back than was charged to the tenant in total."));
                }
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested
                && (Outage.IsContention(fault) || !Outage.Is(fault)))
            {
                // A fault of one tenant stops no other.
                Log.Failed(log, id, tenant, fault);
                refused.Add(new RefusedReversal(tenant, "It failed, and the log says why; the same request again goes on."));
            }
        }

        if (left > 0 && refused.Count == 0)
        {
            // A settlement has the time at which its transaction began, and comes in when that ends.
            await db.Execute(
                $"""
                update billing.reversal set finished_at = clock_timestamp()
                where id = {id.Value} and upper(settled) < clock_timestamp() - interval '10 minutes'
                """,
                cancel);
        }

        return new Progress(id, begun, refused);
    }

    private async Task<(ReversalId Id, bool Begun)> Open(ReverseRunsRequest request, OperatorCaller caller, CancellationToken cancel)
    {
        var (id, scope) = (ReversalId.New(), request.TenantId ?? TenantId.None);
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        var begun = await db.Execute(
            $"""
            insert into billing.reversal (id, block, version, settled, scope, reason, approved_by)
            values ({id.Value}, {request.Block}, {request.Version}, tstzrange({request.From}, {request.To}), {scope.Value},
              {request.Reason}, {caller.Name})
            on conflict do nothing
            """,
            cancel) == 1;
        if (begun)
        {
            await new AuditLog(db).Append(caller, scope, "reversal.begun", $"{id}", request, cancel);
        }
        else
        {
            id = await db.Scalar<ReversalId>(
                $"""
                update billing.reversal set finished_at = null
                where (block, version, settled, scope, reason)
                  = ({request.Block}, {request.Version}, tstzrange({request.From}, {request.To}), {scope.Value}, {request.Reason})
                returning id
                """,
                cancel);
        }

        await transaction.CommitAsync(cancel);
        return (id, begun);
    }

    /// <summary>How many parts of the tenant were taken back, and whether the next one is more than it was charged all in all.</summary>
    private async Task<(int Done, bool Bound)> Reverse(
        ReversalId id, ReverseRunsRequest request, TenantId tenant, int most, OperatorCaller caller, CancellationToken cancel)
    {
        var (done, take, after) = (0, Chunk, Guid.Empty);
        while (take > 0 && done < most)
        {
            await using var transaction = await db.Database.BeginTransactionAsync(cancel);
            var channel = (await Corrections.Lock(db, tenant, cancel))!;
            var parts = await db.Query<Part>(
                $"""
                with part as ({RunParts.Of(request, tenant, after)})
                select reservation_id, run_id, component, charge_id from part where open
                order by run_id, component limit {Math.Min(take, most - done)}
                """,
                cancel);
            if (parts.Count == 0)
            {
                return (done, false);
            }

            try
            {
                await Write(id, request, tenant, channel, parts, caller, cancel);
                await transaction.CommitAsync(cancel);
                (done, after) = (done + parts.Count, parts[^1].RunId);
            }
            catch (PostgresException fault) when (fault.ConstraintName == "adjustment_bound")
            {
                // Credits were given before. Halved, as many charges go as there is room for.
                take = parts.Count / 2;
            }
        }

        return (done, take == 0);
    }

    private async Task Write(
        ReversalId id, ReverseRunsRequest request, TenantId tenant, string channel, List<Part> parts, OperatorCaller caller,
        CancellationToken cancel)
    {
        var charges = await Corrections.Find(
            db, tenant, [.. parts.Where(part => part.ChargeId is not null).Select(part => part.ChargeId!.Value)], cancel);
        var corrections = charges.ConvertAll(charge => charge.Reversal(AdjustmentId.New(), $"{id}/{new ChargeId(charge.Id)}"));
        await Corrections.Write(
            db, tenant, channel, request.Reason, caller.Name, corrections,
            parts.ConvertAll(part => new Settled(part.ReservationId, part.RunId, part.Component)), cancel, id);
        var amount = corrections.Aggregate(Money.Zero, (sum, correction) => sum + correction.Amount);
        await new AuditLog(db).Append(
            caller, tenant, "reversal.made", $"{id}",
            new { request.Block, request.Version, request.Reason, charges = corrections.Count, amount }, cancel);
    }

    /// <summary>What a call came to.</summary>
    /// <param name="Begun">No call with the same request was before it.</param>
    internal sealed record Progress(ReversalId Id, bool Begun, IReadOnlyList<RefusedReversal> Refused);

    private sealed record Part(Guid ReservationId, Guid RunId, string Component, Guid? ChargeId);

    private static partial class Log
    {
        [LoggerMessage(1210, LogLevel.Error, "Reversal {Reversal} could not take back what tenant {Tenant} was charged")]
        public static partial void Failed(ILogger logger, ReversalId reversal, TenantId tenant, Exception exception);
    }
}
