using NetAutomation.Runs;
using NetAutomation.Tests.Support;
using NetAutomation.Web.Calendar;

namespace NetAutomation.Tests.Runs;

/// <summary>The intervals that are written ahead say of every instant what the rule says.</summary>
public sealed class WindowIntervalsTests
{
    private static readonly DateTimeOffset _now = new(2027, 3, 20, 10, 7, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("* * * * *", 1, 1)]
    [InlineData("*/2 * * * *", 1, WindowIntervals.Most)]
    [InlineData("*/5 * * * *", 5, 1)]
    [InlineData("0 2 * * *", 240, 14)]
    [InlineData("0 2 * * 1-5", 1440, 2)]
    [InlineData("30 2 * * *", 10080, 1)]
    public void Touching_intervals_are_one_and_dense_ones_are_known_for_less_time(string cron, int minutes, int rows)
    {
        var (rule, length, until) = (Rule(cron), TimeSpan.FromMinutes(minutes), _now.AddDays(14));
        var known = WindowIntervals.From(rule.After(_now - length, Budgets.Answer()), length, until);
        known.Items.Count.ShouldBe(rows);
        (known.Until == until).ShouldBe(rows < WindowIntervals.Most);
        known.Until.ShouldBeGreaterThan(_now.AddHours(16));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_window_answers_from_its_intervals_as_from_its_rule(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < 30; i++)
        {
            var cron = $"{random.GetItems(["*", "*/2", "*/7", "0", "30"], 1)[0]} {random.GetItems(["*", "*/6", "2", "1,2,3"], 1)[0]} * * "
                + random.GetItems(["*", "SAT,SUN", "1-5"], 1)[0];
            var length = TimeSpan.FromMinutes(random.GetItems([1, 2, 10, 60, 61, 1500, 10080], 1)[0]);
            var rule = Rule(cron);
            var known = WindowIntervals.From(rule.After(_now - length, Budgets.Answer()), length, _now.AddDays(14));
            MaintenanceWindow Window(WindowIntervals intervals) => new(WindowId.New(), "w", true, rule, length, null, intervals);
            var (written, evaluated) = (Window(known), Window(new([], DateTimeOffset.MinValue)));
            for (var n = 0; n < 50; n++)
            {
                // Beyond what is known, too.
                var at = _now.AddSeconds(random.Next(20 * 86_400));
                var story = $"{cron} for {length} at {at:O}";
                var (wanted, given) = (evaluated.OpenUntil(at, Budgets.Answer()), written.OpenUntil(at, Budgets.Answer()));
                (given is null).ShouldBe(wanted is null, story);
                if (wanted is null)
                {
                    written.NextStart(at, Budgets.Answer()).ShouldBe(evaluated.NextStart(at, Budgets.Answer()), story);
                }
                else
                {
                    // Intervals that touch end together.
                    given!.Value.ShouldBeGreaterThanOrEqualTo(wanted.Value, story);
                    evaluated.OpenUntil(given.Value.AddSeconds(-1), Budgets.Answer()).ShouldNotBeNull(story);
                }
            }
        }
    }

    [Fact]
    public void A_search_for_an_opening_costs_little_however_dense_the_windows_are()
    {
        static MaintenanceWindow Window(string cron) =>
            new(WindowId.New(), cron, true, Rule(cron), TimeSpan.FromMinutes(1), null, new([], DateTimeOffset.MinValue));
        var devices = Enumerable.Range(0, 1000).Select(_ => DeviceId.New()).ToList();
        var scope = Budgets.Scope();
        var calendar = new WindowCalendar([Window("*/2 * * * *"), Window("1-59/2 * * * *")], devices, scope.Begin(default));
        for (var i = 0; i < 10; i++)
        {
            calendar.Gates(_now.AddMinutes(i)).Count().ShouldBe(devices.Count);
            calendar.NextOpen(_now.AddMinutes(i)).ShouldBeNull("one of the two is always in force");
        }

        scope.Spent.ShouldBeLessThan(40_000);
    }

    [Fact]
    public void Sparse_windows_cost_little_however_far_ahead_they_are_asked_for()
    {
        var freezes = Enumerable.Range(1, 10).Select(month => new MaintenanceWindow(
            WindowId.New(), $"freeze {month}", true,
            Recurrence.Stored(
                null, $"FREQ=YEARLY;BYMONTH={month};BYMONTHDAY=20", "Europe/Amsterdam",
                new(2026, 1, 1, 0, 0, 0, DateTimeKind.Unspecified), null),
            TimeSpan.FromDays(7), null, new([], DateTimeOffset.MinValue))).ToList();
        var scope = Budgets.Scope();
        var calendar = new WindowCalendar(freezes, [DeviceId.New()], scope.Begin(default));
        var closed = Enumerable.Range(0, 100).Count(week => calendar.Gates(_now.AddDays(7 * week)).Any());
        closed.ShouldBe(19, "in 100 weeks from a March on, that many of these months have a closed week");
        scope.Spent.ShouldBeLessThan(50_000);
    }

    private static Recurrence Rule(string cron) => Recurrence.Stored(cron, null, "Europe/Amsterdam", default, null);
}
