using System.Runtime.CompilerServices;
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
            from billing.metering_record r join billing.payer p on p.tenant_id = r.tenant_id and p.id = r.payer_id where r.state = 'sealed' and r.due_at <= now()
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
    /// on none of it: while it is silent, each batch would take the whole patience of a call.
    /// </summary>
    public async Task<bool?> Send(string productCode, bool licensed, DateTimeOffset dueBefore, CancellationToken cancel)
    {
        var batch = await Claim(
            $"""
            select r.tenant_id, r.id from billing.metering_record r join billing.payer p on p.tenant_id = r.tenant_id and p.id = r.payer_id
            where r.state = 'sealed' and r.due_at <= {dueBefore} and p.product_code = {productCode} and (p.license_arn is not null) = {licensed}
            order by r.hour, r.id limit {UsageMeter.MostReports} for update of r skip locked
            """,
            cancel);
        if (batch.Count == 0)
        {
            return null;
        }

        return await Deliver(licensed ? null : productCode, batch, cancel);
    }

    /// <summary>Calls AWS, and keeps what it says. A refused request is halved until the record at fault is alone.</summary>
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
            var again = await Claim($"select r.tenant_id, r.id from billing.metering_record r where r.state = 'sealed' and r.id = any ({ids}) for update skip locked", cancel);
            if (again.Count > 0 && !await Deliver(productCode, again, cancel))
            {
                return false;
            }
        }

        return true;
    }

    // One statement, so the attempt is there before the call or the record is not taken.
    private Task<List<Sent>> Claim(FormattableString due, CancellationToken cancel)
    {
        var sql = FormattableStringFactory.Create(
            $$"""
            with due as ({{due.Format}}),
            claimed as (
              update billing.metering_record r set due_at = clock_timestamp() + {{{due.ArgumentCount}}} from due
              where r.tenant_id = due.tenant_id and r.id = due.id
              returning r.tenant_id, r.id, r.payer_id, r.dimension, r.hour, r.quantity, r.allocations),
            attempt as (
              insert into billing.metering_attempt (tenant_id, record_id, number, worker)
              select c.tenant_id, c.id, 1 + (select count(*) from billing.metering_attempt a where a.tenant_id = c.tenant_id and a.record_id = c.id), {{{due.ArgumentCount + 1}}}
              from claimed c returning tenant_id, record_id, number)
            select c.tenant_id, c.id, a.number, p.license_arn, p.aws_account, c.dimension, c.hour, c.quantity, c.allocations,
                   exists (select from billing.metering_attempt b where b.tenant_id = c.tenant_id and b.record_id = c.id and coalesce(b.outcome, 'unknown') = 'unknown') as maybe
            from claimed c join attempt a on a.tenant_id = c.tenant_id and a.record_id = c.id
              join billing.payer p on p.tenant_id = c.tenant_id and p.id = c.payer_id
            order by c.hour, c.id
            """,
            [.. due.GetArguments(), options.Value.Lease, _worker]);
        return db.Query<Sent>(sql, cancel);
    }

    private async Task Keep(List<Sent> batch, UsageReply reply, bool halve, CancellationToken cancel)
    {
        var answers =
            batch.Zip(reply.Answers, (sent, answer) => (Sent: sent, Answer: answer, Next: Next(sent, answer, reply.BadRecord, halve)))
                .ToList();
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        await db.Execute(
            $"""
            update billing.metering_attempt a set outcome = u.outcome, code = u.code, ended_at = clock_timestamp()
            from unnest({answers.Select(each => each.Sent.TenantId).ToArray()}, {answers.Select(each => each.Sent.Id).ToArray()}, {answers.Select(each => each.Sent.Number).ToArray()},
                        {answers.Select(each => Wire.Name(each.Answer.Verdict)).ToArray()}, {answers.Select(each => each.Answer.Code).ToArray()}) as u (tenant, id, number, outcome, code)
            where a.tenant_id = u.tenant and a.record_id = u.id and a.number = u.number
            """,
            cancel);
        await Accept([.. answers.Where(each => each.Next == Step.Accept)], cancel);
        await Park([.. answers.Where(each => each.Next == Step.Park)], cancel);
        var later = answers.Where(each => each.Next == Step.Later).ToList();
        await db.Execute(
            $"""
            update billing.metering_record r set error_code = u.code,
              due_at = clock_timestamp() + least({options.Value.RetryAfter} * power(2, least(u.number, 20) - 1), interval '15 minutes') * (0.5 + random() / 2)
            from unnest({later.Select(each => each.Sent.Id).ToArray()}, {later.Select(each => each.Sent.Number).ToArray()}, {later.Select(each => each.Answer.Code).ToArray()})
              as u (id, number, code)
            where r.id = u.id and r.state = 'sealed'
            """,
            cancel);
        await transaction.CommitAsync(cancel);
        Tell(answers);
    }

    /// <summary>
    /// DuplicateRecord says that AWS had a record of this hour before. Sources differ on whether it is also said of the same number sent
    /// again. An hour has one number here and for ever, so where an earlier attempt may have reached AWS the record there is ours; else it
    /// is somebody else's number, and a person looks.
    /// </summary>
    private static Step Next(Sent sent, UsageAnswer answer, bool badRecord, bool halve) => answer.Verdict switch
    {
        UsageVerdict.Accepted => Step.Accept,
        UsageVerdict.Duplicate => sent.Maybe ? Step.Accept : Step.Park,
        UsageVerdict.NotSubscribed => Step.Park,
        UsageVerdict.Refused when halve => Step.Stay,
        UsageVerdict.Refused when badRecord => Step.Park,
        _ => Step.Later,
    };

    private async Task Accept(List<(Sent Sent, UsageAnswer Answer, Step Next)> accepted, CancellationToken cancel)
    {
        if (accepted.Count == 0)
        {
            return;
        }

        await db.Execute(
            $"""
            update billing.metering_record r set state = 'accepted', aws_record_id = u.aws, error_code = u.code, reported_at = clock_timestamp()
            from unnest({accepted.Select(each => each.Sent.Id).ToArray()}, {accepted.Select(each => each.Answer.RecordId ?? "not told").ToArray()},
                        {accepted.Select(each => each.Answer.Code).ToArray()}) as u (id, aws, code)
            where r.id = u.id and r.state in ('sealed', 'parked')
            """,
            cancel);
        var told = accepted.Where(each => each.Answer.Verdict == UsageVerdict.Accepted).Select(each => each.Sent.Id).ToArray();
        await db.Execute(
            $"""
            update billing.payer p set refused_at = null from billing.metering_record r
            where r.id = any ({told}) and p.tenant_id = r.tenant_id and p.id = r.payer_id and p.refused_at is not null
            """,
            cancel);
    }

    private async Task Park(List<(Sent Sent, UsageAnswer Answer, Step Next)> parked, CancellationToken cancel)
    {
        if (parked.Count == 0)
        {
            return;
        }

        await db.Execute(
            $"""
            update billing.metering_record r set state = 'parked', error_code = coalesce(u.code, 'Refused')
            from unnest({parked.Select(each => each.Sent.Id).ToArray()}, {parked.Select(each => each.Answer.Code).ToArray()}) as u (id, code)
            where r.id = u.id and r.state = 'sealed'
            """,
            cancel);
        var strangers = parked.Where(each => each.Answer.Verdict == UsageVerdict.NotSubscribed).Select(each => each.Sent.Id).ToArray();
        await db.Execute(
            $"""
            update billing.payer p set refused_at = clock_timestamp() from billing.metering_record r
            where r.id = any ({strangers}) and p.tenant_id = r.tenant_id and p.id = r.payer_id and p.refused_at is null
            """,
            cancel);
    }

    private void Tell(List<(Sent Sent, UsageAnswer Answer, Step Next)> answers)
    {
        foreach (var (sent, answer, next) in answers)
        {
            metrics.Answered(Wire.Name(answer.Verdict));
            var record = new MeteringRecordId(sent.Id);
            switch (next)
            {
                case Step.Park:
                    Log.Parked(log, record, sent.Hour, sent.Quantity, answer.Code);
                    break;
                case Step.Later:
                    Log.Later(log, record, sent.Number, answer.Code);
                    break;
                case Step.Accept when answer.Verdict == UsageVerdict.Duplicate:
                    Log.HadIt(log, record);
                    break;
            }
        }
    }

    private enum Step
    {
        Accept,
        Park,
        Later,

        /// <summary>It is sent again at once, with half as many others.</summary>
        Stay,
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
        public static partial void Later(ILogger logger, MeteringRecordId record, int number, string? code);

        [LoggerMessage(1204, LogLevel.Warning, "Metering record {Record} was at AWS already, from an attempt whose answer was lost")]
        public static partial void HadIt(ILogger logger, MeteringRecordId record);
    }
}
