using NetAutomation.History.Read;
using NetAutomation.History.Store;

namespace NetAutomation.Tests.History;

public sealed class LineDiffTests
{
    [Fact]
    public void A_difference_makes_the_one_text_of_the_other_and_is_the_shortest()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        for (var round = 0; round < 2000; round++)
        {
            var (from, to) = (Text(random), Text(random));

            Delta.Apply(from, Delta.Of(from, to)).ShouldBe(to, $"seed {seed}, round {round}");
            LineDiff.Between(from, to).Sum(edit => edit.Remove + edit.Add)
                .ShouldBe(from.Length + to.Length - (2 * Common(from, to)), $"seed {seed}, round {round}");
        }
    }

    [Fact]
    public void Texts_that_have_nothing_in_common_are_told_apart_at_once()
    {
        var (from, to) = (Lines("a", 20_000), Lines("b", 20_000));

        Delta.Apply(from, Delta.Of(from, to)).ShouldBe(to);
        LineDiff.Between(from, to).ShouldHaveSingleItem().ShouldBe(new Edit(0, 20_000, 20_000));
    }

    [Fact]
    public void A_pack_gives_back_every_text()
    {
        var random = new Random(7);
        var texts = Enumerable.Range(0, 100).Select(_ => Text(random)).ToList();

        Delta.Unpack(Delta.Pack(texts)).ShouldBe(texts);
    }

    [Fact]
    public void A_unified_diff_names_lines_and_has_three_of_them_around()
    {
        string[] from = [.. Enumerable.Range(1, 20).Select(number => $"line {number}"), ""];
        string[] to = [.. from.Select(line => line == "line 10" ? "line ten" : line)];

        UnifiedDiff.Of(from, to, LineDiff.Between(from, to), line => line, "a", "b").ShouldBe(
            """
            --- a
            +++ b
            @@ -7,7 +7,7 @@
             line 7
             line 8
             line 9
            -line 10
            +line ten
             line 11
             line 12
             line 13

            """);
        UnifiedDiff.Of([""], ["new", ""], LineDiff.Between([""], ["new", ""]), line => line, "a", "b").ShouldBe(
            "--- a\n+++ b\n@@ -0,0 +1,1 @@\n+new\n");
        UnifiedDiff.Of(from, from, LineDiff.Between(from, from), line => line, "a", "b").ShouldBeEmpty();
    }

    private static string[] Text(Random random) =>
        [.. Enumerable.Range(0, random.Next(12)).Select(_ => $"{(char)('a' + random.Next(4))}"), ""];

    private static string[] Lines(string begin, int count) => [.. Enumerable.Range(0, count).Select(number => $"{begin}{number}")];

    // The longest common part, by the book.
    private static int Common(string[] from, string[] to)
    {
        var best = new int[from.Length + 1, to.Length + 1];
        for (var x = 1; x <= from.Length; x++)
        {
            for (var y = 1; y <= to.Length; y++)
            {
                best[x, y] = from[x - 1] == to[y - 1] ? best[x - 1, y - 1] + 1 : Math.Max(best[x - 1, y], best[x, y - 1]);
            }
        }

        return best[from.Length, to.Length];
    }
}
