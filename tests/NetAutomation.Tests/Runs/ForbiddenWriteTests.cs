using NetAutomation.Tests.Support;
using Npgsql;

namespace NetAutomation.Tests.Runs;

/// <summary>One ground with a queued run, for tests that leave it as it is.</summary>
public sealed class QueuedRun(PostgresServer postgres) : IAsyncLifetime
{
    internal RunGround Ground { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Ground = await RunGround.Start(postgres, 1);
        await Ground.StartRun();
    }

    public ValueTask DisposeAsync() => Ground.DisposeAsync();
}

public sealed class ForbiddenWriteTests(QueuedRun shared) : IClassFixture<QueuedRun>
{
    [Theory]
    [InlineData("update runs.run set state = 'succeeded', terminal = true, finished_at = now(), final_seq = 9, charged_micros = 0")]
    [InlineData("update runs.run set state = 'running'")]
    [InlineData("insert into runs.run_transition (tenant_id, run_id, seq, from_state, to_state, fence, by) select tenant_id, id, 2, 'queued', 'succeeded', 0, 'x' from runs.run")]
    [InlineData("insert into runs.run_transition (tenant_id, run_id, seq, from_state, to_state, fence, by) select tenant_id, id, 3, 'claimed', 'running', 0, 'x' from runs.run")]
    [InlineData("update billing.reservation set amount_micros = 0")]
    [InlineData("delete from billing.reservation")]
    [InlineData("insert into billing.reservation select tenant_id, gen_random_uuid(), run_id, component, quantity, amount_micros, currency, price_version_id, channel from billing.reservation")]
    [InlineData("insert into billing.settlement (tenant_id, reservation_id, run_id, component, kind, quantity, reserved_micros, amount_micros, currency, price_version_id, channel) select tenant_id, id, run_id, component, 'post', 1, amount_micros, amount_micros + 1, currency, price_version_id, channel from billing.reservation")]
    [InlineData("insert into billing.settlement (tenant_id, reservation_id, run_id, component, kind, quantity, reserved_micros, amount_micros, currency, price_version_id, channel) select tenant_id, id, run_id, component, 'post', 1, amount_micros, amount_micros, currency, price_version_id, channel from billing.reservation where amount_micros > 0")]
    [InlineData("insert into billing.charge (tenant_id, id, sku, description, quantity, amount_micros, currency, price_version_id, channel) select tenant_id, gen_random_uuid(), 'x', 'x', 1, 1, currency, price_version_id, channel from billing.reservation")]
    [InlineData("update billing.price_version set unit_micros = 0")]
    [InlineData("update runs.fence_counter set value = 0")]
    [InlineData("update platform.audit_event set action = 'x'")]
    public async Task The_database_refuses_what_must_not_happen(string sql)
    {
        await Should.ThrowAsync<PostgresException>(() => shared.Ground.AppSql(sql));
    }
}
