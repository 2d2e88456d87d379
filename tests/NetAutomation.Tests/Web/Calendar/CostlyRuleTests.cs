using System.Diagnostics;
using NetAutomation.Tests.Support;
using NetAutomation.Web;
using NetAutomation.Web.Calendar;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Tests.Web.Calendar;

/// <summary>What a rule may cost: when it is made, and whenever it is evaluated.</summary>
public sealed class CostlyRuleTests
{
    /// <summary>347 characters that were 3.9 s of a processor for a hundred occurrences.</summary>
    public static readonly string Costliest =
        $"DTSTART:19710101T000000 RRULE:FREQ=YEARLY;COUNT=10000;BYHOUR={Numbers(24)};BYMINUTE={Numbers(60)};BYSETPOS=1";

    /// <summary>Half a million times a year, of which it takes one.</summary>
    public static readonly string Dense =
        $"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={Numbers(24)};BYMINUTE={Numbers(60)};BYSETPOS=1";

    private static readonly DateTimeOffset _now = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly DateTime _anchor = new(2026, 11, 28, 12, 0, 0, DateTimeKind.Unspecified);

    public static TheoryData<string> TooCostly =>
    [
        Costliest,
        Dense,
        $"FREQ=MONTHLY;BYMONTH=2;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={Numbers(24)};BYMINUTE={Numbers(60)};BYSETPOS=-1",
        $"DTSTART:19710101T000000 FREQ=MONTHLY;COUNT=9999;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={Numbers(24)};BYSETPOS=1,-1",
    ];

    // Sparse, old, never, or as dense as they come: nothing that a person would write is refused for its cost.
    public static TheoryData<string> Ordinary =>
    [
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "DTSTART:19710101T000000 FREQ=YEARLY;COUNT=10000",
        "DTSTART:19710101T000000 FREQ=HOURLY;COUNT=10000;BYDAY=FR;BYMONTHDAY=13", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        $"FREQ=DAILY;BYHOUR={Numbers(24)};BYMINUTE={Numbers(60)}", "DTSTART:19710101T000000 FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=29",
        $"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={Numbers(24)};BYMINUTE={Numbers(60)}", "FREQ=HOURLY;INTERVAL=1000;COUNT=10000",
        $"DTSTART:20200101T000000 FREQ=DAILY;COUNT=10000;BYHOUR={Numbers(24)};BYMINUTE=0,30",
    ];

    [Theory]
    [MemberData(nameof(TooCostly))]
    public void A_rule_that_costs_too_much_is_refused_with_the_size_of_its_budget(string rule)
    {
        var refused = Make(rule).Problem.ShouldNotBeNull();
        refused.Type.Code.ShouldBe("too_costly");
        refused.StatusCode.ShouldBe(422);
        refused.Errors!.ShouldHaveSingleItem().Pointer.ShouldBe("/rrule");
        refused.Errors[0].Detail.ShouldContain("100,000 steps");
        (refused.Members!["limit"], refused.Members["max"]).ShouldBe(("rule_steps", Evaluations.RuleSteps));
    }

    [Theory]
    [MemberData(nameof(Ordinary))]
    public void An_ordinary_rule_is_not_refused_for_its_cost(string rule)
    {
        var made = Make(rule);
        (made.Problem?.Errors?[0].Code ?? "made").ShouldBeOneOf("made", "never");
    }

    [Theory]
    [InlineData("0 0 30 2 *")]
    [InlineData("* * * * *")]
    [InlineData("59 23 29 2 *")]
    public void A_cron_rule_is_cheap_whatever_it_says(string cron)
    {
        var made = Recurrence.Make(new RecurrenceText(cron, null, "Europe/Amsterdam", default), _now, Budgets.Of(100));
        (made.Problem?.Errors?[0].Code ?? "made").ShouldBeOneOf("made", "never");
    }

    [Fact]
    public void A_rule_with_an_end_in_place_of_its_count_yields_the_same_and_counts_nothing_again()
    {
        var random = new Random(7);
        for (var i = 0; i < 40; i++)
        {
            var rule = $"DTSTART:{random.Next(1990, 2027)}0315T103000 FREQ={random.GetItems(["HOURLY", "DAILY"], 1)[0]};"
                + $"COUNT={random.Next(1, 10_000)};INTERVAL={random.Next(1, 4)}";
            if (Make(rule) is not { Problem: null, Value.Last: { } last })
            {
                continue;
            }

            var (counted, ending) = (Stored(rule, null), Stored(rule, last));
            var at = _now.AddDays(random.Next(0, 400));
            var scope = Budgets.Scope();
            ending.After(at, Budgets.Of(3000, scope)).Take(500).ToList()
                .ShouldBe(counted.After(at, Budgets.Answer()).Take(500).ToList(), $"{rule} after {at:O}");
            ending.After(at, Budgets.Answer()).Count().ShouldBe(counted.After(at, Budgets.Answer()).Count(), rule);
        }
    }

    [Fact]
    public void An_evaluation_ends_at_its_budget_however_much_is_asked_of_it()
    {
        var scope = Budgets.Scope();
        var begun = Stopwatch.StartNew();
        var over = Should.Throw<TooCostlyException>(() => Stored(Dense, null).After(_now, scope.Begin(default)).Take(100).ToList());
        over.Refusal.Members!["limit"].ShouldBe("request_steps");
        scope.Spent.ShouldBeInRange(Evaluations.RequestSteps, Evaluations.RequestSteps + 2048);
        begun.Elapsed.ShouldBeLessThan(Evaluations.Longest);
    }

    [Fact]
    public void An_evaluation_ends_when_its_time_is_over()
    {
        var clock = new SteppingClock();
        var over = Should.Throw<TooCostlyException>(
            () => Stored(Dense, null).After(_now, Budgets.Scope(clock).Begin(default)).Take(100).ToList());
        over.Refusal.Members!["limit"].ShouldBe("evaluation_seconds");
    }

    [Fact]
    public void An_evaluation_ends_when_nobody_waits_for_it()
    {
        using var left = new CancellationTokenSource();
        left.Cancel();
        var scope = Budgets.Scope();
        Should.Throw<OperationCanceledException>(() => Stored(Dense, null).After(_now, scope.Begin(left.Token)).First());
        scope.Spent.ShouldBeLessThan(2048);
    }

    private static Outcome<NewRecurrence> Make(string rule) => Recurrence.Make(
        new RecurrenceText(null, rule, "UTC", _anchor), _now, Budgets.Scope().BeginRule(default));

    private static Recurrence Stored(string rule, DateTime? last) => Recurrence.Stored(null, rule, "UTC", _anchor, last);

    private static string Numbers(int count) => string.Join(',', Enumerable.Range(0, count));

    /// <summary>A clock on which a second passes whenever it is read.</summary>
    private sealed class SteppingClock : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => _now++;
    }
}
