using Microsoft.Extensions.Options;
using NetAutomation.Marketplace;
using NetAutomation.Persistence;
using NetAutomation.Web;

namespace NetAutomation.Billing.Metering;

/// <summary>
/// Sends sealed records until AWS has them: the attempt is committed before the call, and a record whose answer was lost is sent again,
/// the same bytes, which AWS counts once. Any number of processes may do it at once.
/// </summary>
internal sealed partial class SendUsage(
    SystemDb db, UsageMeter meter, IOptions<MeteringOptions> options, MeteringMetrics metrics, ILogger<SendUsage> log)
{
    private static readonly string _worker = $"{Environment.MachineName}/{Environment.ProcessId}";

    /// <summary>Sends every record that is due now.</summary>
    public async Task Run(CancellationToken cancel)
    {
        var products = await db.Query<Product>(
            $"""
            select distinct p.product_code, p.license_arn is not null as licensed, clock_timestamp() as now
            from billing.metering_record r join billing.payer p on p.tenant_id = r.tenant_id and p.id = r.payer_id
            where r.state = 'sealed' and r.due_at <= now()
            """,
            cancel);
        foreach (var (code, licensed, now) in products)
        {
            bool? answered = true;
            while (answered == true)
            {
                answered = await Send(code, licensed, now, cancel);
            }
        }
    }

    /// <summary>
    /// Sends one batch of records of a product that were due at <paramref name="dueBefore"/>; null where none was, false where AWS decided
    /// on none of it: while it is silent, each batch would wait for the full time limit.
    /// </summary>
    public async Task<bool?> Send(string productCode, bool licensed, DateTimeOffset dueBefore, CancellationToken cancel)
    {
        var batch = await Claim(
            $"""
            select r.tenant_id, r.id from billing.metering_record r join billing.payer p on p.tenant_id = r.tenant_id and p.id = r.payer_id
            where r.state = 'sealed' and r.due_at <= {dueBefore} and p.product_code = {productCode}
              and (p.license_arn is not null) = {licensed}
            order by r.hour, r.id limit {UsageMeter.MostReports} for update of r skip locked
            """,
            cancel);
        if (batch.Count == 0)
        {
            return null;
        }

        return await Deliver(licensed ? null : productCode, batch, cancel);
    }

    /// <summary>Calls AWS and stores its answers. A refused request is halved until the faulty record is alone.</summary>
    private async Task<bool> Deliver(string? productCode, List<Sent> batch, CancellationToken cancel)
    {
        var reply = await meter.Report(productCode, batch.ConvertAll(sent => sent.Report), cancel);
        var halve = reply.BadRecord && batch.Count > 1;
        await Keep(batch, reply, halve, cancel);
        if (!halve)
        {
            return reply.BadRecord
                || reply.Answers.Any(
                    answer => answer.Verdict is not (UsageVerdict.Unknown or UsageVerdict.Refused or UsageVerdict.Unprocessed));
        }

        foreach (var half in batch.Chunk((batch.Count + 1) / 2))
        {
            var ids = Array.ConvertAll(half, sent => sent.Id);
            var again = await Claim(
                $"""
                select r.tenant_id, r.id from billing.metering_record r
                where r.state = 'sealed' and r.id = any ({ids}) for update skip locked
                """,
                cancel);
            if (again.Count > 0 && !await Deliver(productCode, again, cancel))
            {
                return false;
            }
        }

        return true;
    }

    // One statement: no record is claimed without an attempt, so the attempt is committed before the call.
    private Task<List<Sent>> Claim(FormattableString due, CancellationToken cancel) => db.Query<Sent>(
        $"""
        with due as ({due}),
        claimed as (
          update billing.metering_record r set due_at = clock_timestamp() + {options.Value.Lease} from due
          where r.tenant_id = due.tenant_id and r.id = due.id
          returning r.tenant_id, r.id, r.payer_id, r.dimension, r.hour, r.quantity, r.allocations),
        before as (
          select c.tenant_id, c.id, count(a.number)::int + 1 as number,
            count(a.number) filter (where coalesce(a.outcome, 'unknown') = 'unknown') > 0 as maybe
          from claimed c left join billing.metering_attempt a on a.tenant_id = c.tenant_id and a.record_id = c.id group by 1, 2),
        attempt as (
          insert into billing.metering_attempt (tenant_id, record_id, number, worker)
          select tenant_id, id, number, {_worker} from before)
        select c.tenant_id, c.id, b.number, p.license_arn, p.aws_account, c.dimension, c.hour, c.quantity, c.allocations, b.maybe
        from claimed c join before b on b.tenant_id = c.tenant_id and b.id = c.id
          join billing.payer p on p.tenant_id = c.tenant_id and p.id = c.payer_id
        order by c.hour, c.id
        """,
        cancel);

    private async Task Keep(List<Sent> batch, UsageReply reply, bool halve, CancellationToken cancel)
    {
        var answers = batch
            .Zip(reply.Answers, (sent, answer) => (Sent: sent, Answer: answer, Next: Next(sent, answer, reply.BadRecord, halve)))
            .ToList();
        Guid[] tenants = [.. answers.Select(each => each.Sent.TenantId)];
        Guid[] ids = [.. answers.Select(each => each.Sent.Id)];
        int[] numbers = [.. answers.Select(each => each.Sent.Number)];
        string[] verdicts = [.. answers.Select(each => Wire.Name(each.Answer.Verdict))];
        string?[] codes = [.. answers.Select(each => each.Answer.Code)];
        string?[] records = [.. answers.Select(each => each.Answer.RecordId)];
        string[] steps = [.. answers.Select(each => Wire.Name(each.Next))];
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        await db.Execute(
            $"""
            update billing.metering_attempt a set outcome = u.outcome, code = u.code, ended_at = clock_timestamp()
            from unnest({tenants}, {ids}, {numbers}, {verdicts}, {codes}) as u (tenant, id, number, outcome, code)
            where a.tenant_id = u.tenant and a.record_id = u.id and a.number = u.number
            """,
            cancel);
        await db.Execute(
            $"""
            update billing.metering_record r set
              state = case u.step when 'accept' then 'accepted' when 'park' then 'parked' else r.state end,
              aws_record_id = case u.step when 'accept' then coalesce(u.aws_id, 'not told') end,
              reported_at = case u.step when 'accept' then clock_timestamp() end,
              error_code = case u.step when 'park' then coalesce(u.code, 'Refused') else u.code end,
              due_at = case u.step when 'retry' then clock_timestamp() + (0.5 + random() / 2)
                * least({options.Value.RetryAfter} * power(2, least(u.number, 20) - 1), interval '15 minutes') else r.due_at end
            from unnest({ids}, {numbers}, {codes}, {records}, {steps}) as u (id, number, code, aws_id, step)
            where r.id = u.id and u.step <> 'halve' and (r.state = 'sealed' or (r.state = 'parked' and u.step = 'accept'))
            """,
            cancel);
        await db.Execute(
            $"""
            update billing.payer p set refused_at = case when a.refused then clock_timestamp() end
            from (
              select r.tenant_id, r.payer_id, bool_or(u.verdict = 'not_subscribed') as refused
              from unnest({ids}, {verdicts}) as u (id, verdict) join billing.metering_record r on r.id = u.id
              where u.verdict in ('accepted', 'not_subscribed') group by 1, 2) a
            where p.tenant_id = a.tenant_id and p.id = a.payer_id and (p.refused_at is null) = a.refused
            """,
            cancel);
        await transaction.CommitAsync(cancel);
        foreach (var (sent, answer, next) in answers)
        {
            Report(new MeteringRecordId(sent.Id), sent, answer, next);
        }
    }

    /// <summary>
    /// DuplicateRecord says that AWS had a record of this hour before. Sources differ on whether it is also said of the same number sent
    /// again. An hour has one number here and for ever, so where an earlier attempt may have reached AWS the record there is ours;
    /// otherwise it is somebody else's number, and a person looks.
    /// </summary>
    private static Step Next(Sent sent, UsageAnswer answer, bool badRecord, bool halve) => answer.Verdict switch
    {
        UsageVerdict.Accepted => Step.Accept,
        UsageVerdict.Duplicate => sent.Maybe ? Step.Accept : Step.Park,
        UsageVerdict.NotSubscribed => Step.Park,
        UsageVerdict.Refused when halve => Step.Halve,
        UsageVerdict.Refused when badRecord => Step.Park,
        _ => Step.Retry,
    };

    private void Report(MeteringRecordId record, Sent sent, UsageAnswer answer, Step next)
    {
        metrics.Answered(Wire.Name(answer.Verdict));
        switch (next)
        {
            case Step.Park:
                Log.Parked(log, record, sent.Hour, sent.Quantity, answer.Code);
                break;
            case Step.Retry:
                Log.Retried(log, record, sent.Number, answer.Code);
                break;
            case Step.Accept when answer.Verdict == UsageVerdict.Duplicate:
                Log.AlreadyHeld(log, record);
                break;
        }
    }

    private enum Step
    {
        Accept,
        Park,
        Retry,

        /// <summary>It is sent again at once, with half as many others.</summary>
        Halve,
    }

    private sealed record Product(string ProductCode, bool Licensed, DateTimeOffset Now);

    /// <param name="Maybe">An attempt before this one may have reached AWS.</param>
    private sealed record Sent(
        Guid TenantId, Guid Id, int Number, string? LicenseArn, string AwsAccount, string Dimension, DateTimeOffset Hour, int Quantity,
        string? Allocations, bool Maybe)
    {
        public UsageReport Report => new(Id, LicenseArn, AwsAccount, Dimension, Hour, Quantity, Allocations);
    }

    private static partial class Log
    {
        [LoggerMessage(1202, LogLevel.Error, "Metering record {Record} of {Hour} over {Quantity} units is parked: {Code}")]
        public static partial void Parked(ILogger logger, MeteringRecordId record, DateTimeOffset hour, int quantity, string? code);

        [LoggerMessage(1203, LogLevel.Warning, "Metering record {Record} is sent again later: attempt {Number} ended with {Code}")]
        public static partial void Retried(ILogger logger, MeteringRecordId record, int number, string? code);

        [LoggerMessage(1204, LogLevel.Warning, "Metering record {Record} was at AWS already, from an attempt whose answer was lost")]
        public static partial void AlreadyHeld(ILogger logger, MeteringRecordId record);
    }
}
