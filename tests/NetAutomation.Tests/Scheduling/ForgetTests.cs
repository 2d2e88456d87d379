using Microsoft.Extensions.DependencyInjection;
using NetAutomation.Scheduling.Fire;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Scheduling;

public sealed class ForgetTests(PostgresServer postgres)
{
    [Fact]
    public async Task Old_keys_and_occurrences_go_and_young_ones_stay()
    {
        await using var fixture = await ScheduleFixture.Start(postgres);
        var (schedule, tenant) = (await fixture.Schedule("0 1 * * *"), fixture.Tenant.Id.Value);
        await fixture.Sql(
            """
            insert into web.idempotency_key (tenant_id, principal, key, fingerprint, status, body, secret, created_at)
            select $1, $1, 'a-key-of-the-past-' || d, '', 200, '', false, now() - make_interval(days => d) from unnest(array[29, 31, 40]) d
            """, tenant);
        await fixture.Sql(
            """
            insert into scheduling.occurrence (tenant_id, schedule_id, at, state, found_at)
            select $1, $2, now() - make_interval(days => d), 'skipped', now() - make_interval(days => d) from unnest(array[399, 401]) d
            """, tenant, schedule.Value);
        await using var scope = fixture.Host.Services.CreateAsyncScope();
        await ActivatorUtilities.CreateInstance<Forget>(scope.ServiceProvider).Run(default);
        (await fixture.Scalar<string>("select string_agg(key, ' ') from web.idempotency_key where key like 'a-key%'"))
            .ShouldBe("a-key-of-the-past-29");
        (await fixture.Scalar<long>("select count(*) from scheduling.occurrence")).ShouldBe(1);
    }
}
