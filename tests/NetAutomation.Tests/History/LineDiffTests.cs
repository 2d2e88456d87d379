using System.Text;
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

            Changed(from, to).ShouldBe(Lines(to).Bytes.ToArray(), $"seed {seed}, round {round}");
            LineDiff.Between(Lines(from), Lines(to)).Sum(edit => edit.Remove + edit.Add)
                .ShouldBe(from.Length + to.Length - (2 * Common(from, to)), $"seed {seed}, round {round}");
        }
    }

    [Theory]
    [InlineData(20_000)]
    [InlineData(300_000)]
    public void Texts_that_have_nothing_in_common_are_told_apart_at_once(int lines)
    {
        var (from, to) = (Many("a", lines), Many("b", lines));

        Changed(from, to).ShouldBe(Lines(to).Bytes.ToArray());
        LineDiff.Between(Lines(from), Lines(to)).ShouldHaveSingleItem().ShouldBe(new Edit(0, lines, lines));
    }

    [Fact]
    public void A_pack_gives_back_every_text()
    {
        var random = new Random(7);
        var texts = Enumerable.Range(0, 100).Select(_ => Lines(Text(random)).Bytes.ToArray()).ToList();
        using var pack = new Pack();

        texts.ShouldAllBe(text => pack.Add(TextLines.Of(text)));

        Delta.Unpack(pack.Squeeze()).Select(text => text.Bytes.ToArray()).ShouldBe(texts);
    }

    [Fact]
    public void A_pack_takes_one_text_of_any_size_and_no_more_than_it_has_room_for()
    {
        using var pack = new Pack();

        pack.Add(TextLines.Of(new byte[Pack.Most + 1])).ShouldBeTrue();
        pack.Add(TextLines.Of("another"u8)).ShouldBeFalse();

        Delta.Unpack(pack.Squeeze()).ShouldHaveSingleItem().Bytes.Length.ShouldBe(Pack.Most + 1);
    }

    [Fact]
    public void A_unified_diff_names_lines_and_has_three_of_them_around()
    {
        string[] from = [.. Enumerable.Range(1, 20).Select(number => $"line {number}"), ""];
        string[] to = [.. from.Select(line => line == "line 10" ? "line ten" : line)];

        Unified(from, to).ShouldBe(
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
        Unified([""], ["new", ""]).ShouldBe(
            "--- a\n+++ b\n@@ -0,0 +1,1 @@\n+new\n");
        Unified(from, from).ShouldBeEmpty();
    }

    private static string[] Text(Random random) =>
        [.. Enumerable.Range(0, random.Next(12)).Select(_ => $"{(char)('a' + random.Next(4))}"), ""];

    private static TextLines Lines(string[] lines) => TextLines.Of(Encoding.UTF8.GetBytes(string.Join('\n', lines)));

    private static byte[] Changed(string[] from, string[] to) =>
        Delta.Apply(Lines(from), Delta.Of(Lines(from), Lines(to))).Bytes.ToArray();

    private static string Unified(string[] from, string[] to)
    {
        var (before, after) = (Lines(from), Lines(to));
        return UnifiedDiff.Of(before, after, LineDiff.Between(before, after), line => line, "a", "b");
    }

    private static string[] Many(string begin, int count) => [.. Enumerable.Range(0, count).Select(number => $"{begin}{number}")];

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
