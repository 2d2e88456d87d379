using NetAutomation.Execution.Probe;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

public sealed class TestTurnsTests
{
    [Fact]
    public async Task Tenant_that_has_all_its_turns_waits_for_one_and_holds_up_no_other()
    {
        var (turns, tenant, cancel) = (new TestTurns(), TenantId.New(), TestContext.Current.CancellationToken);
        var taken = new List<IDisposable>();
        for (var number = 0; number < TestTurns.AtATime; number++)
        {
            taken.Add(await turns.Enter(tenant, cancel));
        }

        var next = turns.Enter(tenant, cancel);
        using var other = await turns.Enter(TenantId.New(), cancel).WaitAsync(Eventually.Limit, cancel);

        next.IsCompleted.ShouldBeFalse();
        taken[0].Dispose();
        using var turn = await next.WaitAsync(Eventually.Limit, cancel);
    }
}
