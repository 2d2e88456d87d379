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

    [Fact]
    public async Task Tenants_that_have_all_turns_of_the_process_share_them_with_the_next_one_that_asks()
    {
        var (turns, cancel) = (new TestTurns(), TestContext.Current.CancellationToken);
        TenantId[] tenants = [.. Enumerable.Range(0, TestTurns.InAll / TestTurns.AtATime).Select(_ => TenantId.New())];
        var taken = new List<IDisposable>();
        foreach (var tenant in tenants.SelectMany(tenant => Enumerable.Repeat(tenant, TestTurns.AtATime)))
        {
            taken.Add(await turns.Enter(tenant, cancel).WaitAsync(Eventually.Limit, cancel));
        }

        using var gone = new CancellationTokenSource();
        var left = turns.Enter(TenantId.New(), gone.Token);
        var (busy, idle) = (turns.Enter(tenants[0], cancel), turns.Enter(TenantId.New(), cancel));
        (left.IsCompleted, busy.IsCompleted, idle.IsCompleted).ShouldBe((false, false, false), "the process has no more of them");
        await gone.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(left);
        taken[0].Dispose();
        using var first = await idle.WaitAsync(Eventually.Limit, cancel);
        busy.IsCompleted.ShouldBeFalse("it has seven others under way");
        taken[1].Dispose();
        using var second = await busy.WaitAsync(Eventually.Limit, cancel);
    }
}
