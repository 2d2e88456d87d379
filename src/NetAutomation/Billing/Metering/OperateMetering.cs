using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Metering;

/// <summary>State of a metering record.</summary>
public enum MeteringState
{
    Sealed,
    Accepted,
    Parked,
    Carried,
}

/// <summary>What was, or will be, reported of one customer's hour.</summary>
/// <param name="Id">The record.</param>
/// <param name="TenantId">The tenant.</param>
/// <param name="ProductCode">The product at Marketplace.</param>
/// <param name="LicenseArn">The licence it is metered to; null for products metered by product code.</param>
/// <param name="Account">The buyer's AWS account.</param>
/// <param name="Dimension">The dimension of money.</param>
/// <param name="Hour">Start of the hour, which is also its timestamp at Marketplace.</param>
/// <param name="Quantity">Units reported.</param>
/// <param name="Amount">What the units come to.</param>
/// <param name="CarryIn">What the record before left.</param>
/// <param name="Sum">Charges and carried amounts of this record.</param>
/// <param name="CarryOut">What is left for the next record: less than a unit, or a credit below zero.</param>
/// <param name="State">sealed until AWS has it, accepted, parked where a person must look, carried into a later record.</param>
/// <param name="Attempts">How often it was sent.</param>
/// <param name="MayBeHeld">AWS may hold the record: an answer was lost, or said that there is one of this hour.</param>
/// <param name="ErrorCode">What AWS said last, where it was no success.</param>
/// <param name="AwsRecordId">MeteringRecordId of AWS.</param>
/// <param name="SealedAt">When it was frozen.</param>
/// <param name="ReportedAt">When AWS took it.</param>
public sealed record MeteringRecordView(
    MeteringRecordId Id, TenantId TenantId, string ProductCode, string? LicenseArn, string Account, string Dimension, DateTimeOffset Hour,
    long Quantity, Money Amount, Money CarryIn, Money Sum, Money CarryOut, MeteringState State, long Attempts, bool MayBeHeld,
    string? ErrorCode, string? AwsRecordId, DateTimeOffset SealedAt, DateTimeOffset? ReportedAt);

/// <summary>How reporting stands.</summary>
/// <param name="Level">ok, warning or error.</param>
/// <param name="OldestUnreported">End of the oldest hour that AWS has not been told of; null where there is none.</param>
/// <param name="Unsealed">Charges that no record holds yet.</param>
/// <param name="Sealed">Records that AWS does not have yet.</param>
/// <param name="Parked">Records that wait for a person.</param>
public sealed record MeteringView(string Level, DateTimeOffset? OldestUnreported, long Unsealed, long Sealed, long Parked);

/// <summary>Puts a parked record's amount into the next record of its payer.</summary>
/// <param name="Reason">Why; it stands in the audit.</param>
public sealed record CarryMeteringRecordRequest(string Reason);

/// <summary>Says what AWS holds of a parked record, where its answer was lost.</summary>
/// <param name="Evidence">How it is known; it stands in the audit.</param>
/// <param name="AwsRecordId">The MeteringRecordId under which AWS holds it; null: AWS does not hold this record.</param>
public sealed record ConfirmMeteringRecordRequest(string Evidence, string? AwsRecordId = null);

internal static class OperateMetering
{
    public static async Task<Results<Ok<Page<MeteringRecordView>>, Problem>> List(
        SystemDb db, [AsParameters] PageQuery page, CancellationToken cancel, string? state = null,
        [Description("Only of this tenant.")] TenantId? tenantId = null)
    {
        if (state is not null && !Wire.TryValue<MeteringState>(state, out _))
        {
            return Web.Problems.Refused.At("/state", "unknown_state", "A state is sealed, accepted, parked or carried.");
        }

        return await page.Answer(
            $"metering-records?{state}&{tenantId}", (below, take) => Find(db, cancel, null, state, tenantId, below, take),
            view => view.Id.Value);
    }

    public static async Task<Results<Ok<MeteringRecordView>, Problem>> Get(MeteringRecordId id, SystemDb db, CancellationToken cancel) =>
        await Find(db, cancel, id) is [var record] ? TypedResults.Ok(record) : Web.Problems.NotFound.With();

    public static async Task<Ok<MeteringView>> Summary(SystemDb db, CancellationToken cancel) =>
        TypedResults.Ok((await db.Query<MeteringView>(
        $"""
        select w.level, {WatchUsage.Oldest} as oldest_unreported, (select count(*) from billing.metering_backlog) as unsealed,
          (select count(*) from billing.metering_record where state = 'sealed') as sealed,
          (select count(*) from billing.metering_record where state = 'parked') as parked
        from billing.metering_watch w
        """,
        cancel))[0]);

    /// <summary>Only for what AWS certainly does not hold: every attempt was refused, or confirmed to be absent.</summary>
    public static async Task<Results<Ok<MeteringRecordView>, Problem>> Carry(
        MeteringRecordId id, CarryMeteringRecordRequest request, SystemDb db, OperatorCaller caller, CancellationToken cancel)
    {
        if ((await Parked(db, id, request.Reason, "/reason", cancel)).Refused(out var problem, out var record))
        {
            return problem;
        }

        if (record.MayBeHeld)
        {
            return Web.Problems.Conflict.With("AWS may hold the record: confirm first what it holds.");
        }

        await db.Execute(
            $"""
            insert into billing.metering_carry (tenant_id, record_id, payer_id, amount_micros, approved_by, reason)
            select tenant_id, id, payer_id, reported_micros, {caller.Name}, {request.Reason} from billing.metering_record
            where tenant_id = {record.TenantId.Value} and id = {id.Value}
            """,
            cancel);
        return await Done(db, caller, record, "metering_record.carried", new { request.Reason, record.Amount }, cancel);
    }

    public static async Task<Results<Ok<MeteringRecordView>, Problem>> Confirm(
        MeteringRecordId id, ConfirmMeteringRecordRequest request, SystemDb db, OperatorCaller caller, CancellationToken cancel)
    {
        if ((await Parked(db, id, request.Evidence, "/evidence", cancel)).Refused(out var problem, out var record))
        {
            return problem;
        }

        if (request.AwsRecordId is { } named
            && ShownText.Refusal(ShownText.NameFaults(named, "/awsRecordId", 200)) is { } unclear)
        {
            return unclear;
        }

        if (request.AwsRecordId is { } held)
        {
            await db.Execute(
                $"""
                update billing.metering_record set state = 'accepted', aws_record_id = {held}, reported_at = clock_timestamp()
                where tenant_id = {record.TenantId.Value} and id = {id.Value}
                """,
                cancel);
            // A record that AWS holds shows that it takes the customer's usage.
            await db.Execute(
                $"""
                update billing.payer p set refused_at = null from billing.metering_record r
                where r.tenant_id = {record.TenantId.Value} and r.id = {id.Value}
                  and p.tenant_id = r.tenant_id and p.id = r.payer_id and p.refused_at is not null
                """,
                cancel);
        }
        else
        {
            await db.Execute(
                $"""
                update billing.metering_attempt set outcome = 'absent', ended_at = clock_timestamp()
                where tenant_id = {record.TenantId.Value} and record_id = {id.Value}
                  and coalesce(outcome, 'unknown') in ('unknown', 'duplicate')
                """,
                cancel);
        }

        return await Done(db, caller, record, "metering_record.confirmed", new { request.Evidence, request.AwsRecordId }, cancel);
    }

    private static async Task<Outcome<MeteringRecordView>> Parked(
        SystemDb db, MeteringRecordId id, string why, string pointer, CancellationToken cancel)
    {
        if (ShownText.Refusal(ShownText.TextFaults(why, pointer)) is { } unfit)
        {
            return unfit;
        }

        await db.Execute($"select from billing.metering_record where id = {id.Value} for no key update", cancel);
        return await Find(db, cancel, id) is not [var record] ? Web.Problems.NotFound.With()
            : record.State == MeteringState.Parked ? record
            : Web.Problems.Conflict.With($"The record is {Wire.Name(record.State)}, not parked.");
    }

    private static async Task<Results<Ok<MeteringRecordView>, Problem>> Done(
        SystemDb db, OperatorCaller caller, MeteringRecordView record, string action, object data, CancellationToken cancel)
    {
        await new AuditLog(db).Append(caller, record.TenantId, action, $"{record.Id}", data, cancel);
        return TypedResults.Ok((await Find(db, cancel, record.Id))[0]);
    }

    private static Task<List<MeteringRecordView>> Find(
        SystemDb db, CancellationToken cancel, MeteringRecordId? id = null, string? state = null, TenantId? tenant = null,
        Guid? below = null, int take = 1) => db.Query<MeteringRecordView>(
        $"""
        select r.id, r.tenant_id, p.product_code, p.license_arn, r.aws_account as account, r.dimension, r.hour, r.quantity,
          r.reported_micros as amount, r.carry_in_micros as carry_in, r.sum_micros as sum, r.carry_out_micros as carry_out, r.state,
          a.attempts, a.unsure > 0 and r.state <> 'accepted' as may_be_held, r.error_code, r.aws_record_id, r.sealed_at, r.reported_at
        from billing.metering_record r join billing.payer p on p.tenant_id = r.tenant_id and p.id = r.payer_id
        cross join lateral (
          select count(*) as attempts, count(*) filter (where coalesce(outcome, 'unknown') in ('unknown', 'duplicate')) as unsure
          from billing.metering_attempt a where a.tenant_id = r.tenant_id and a.record_id = r.id) a
        where ({id?.Value}::uuid is null or r.id = {id?.Value}) and ({state}::text is null or r.state = {state})
          and ({tenant?.Value}::uuid is null or r.tenant_id = {tenant?.Value}) and ({below}::uuid is null or r.id < {below})
        order by r.id desc limit {take}
        """,
        cancel);
}
