using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using NetAutomation.Execution.Sandbox;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Corpora;

/// <summary>
/// Devices that say anything: through the engine's parsers of their words (<c>tests/devices/hostile.py</c>), then through the scrubber that
/// makes text of them for people.
/// </summary>
public sealed class DeviceCorpusTests
{
    private const string Secret = "s3cret-of-the-device";
    private const int Processes = 2, GrowthKiB = 48 << 10;

    [Fact]
    public async Task What_a_hostile_device_says_harms_nobody()
    {
        var corpus = new Corpus("devices");
        var count = Corpus.Of(10_000, 600);
        var scrubber = new Scrubber([Secret]);
        var before = Corpus.MemoryNow();
        await Task.WhenAll(Enumerable.Range(0, Processes).Select(async part =>
        {
            var (share, done) = (count / Processes, 0);
            await foreach (var line in Play(part * share, share))
            {
                if (line.TryGetProperty("ends", out var ends))
                {
                    foreach (var end in ends.EnumerateObject())
                    {
                        corpus.Count($"end {end.Name}", end.Value.GetInt32());
                    }

                    var growth = line.GetProperty("last").GetInt32() - line.GetProperty("warm").GetInt32();
                    if (growth > GrowthKiB)
                    {
                        corpus.Found(Harm.Memory, $"the engine's parsers grew by {growth} KiB");
                    }

                    continue;
                }

                Judge(corpus, line);
                Scrub(corpus, scrubber, line.GetProperty("case").GetInt32(), line.GetProperty("text").GetBytesFromBase64());
                if (++done % 1000 == 0)
                {
                    corpus.Progress(done, share);
                }
            }

            if (done != share)
            {
                corpus.Found(Harm.Crash, $"the engine's parsers ended after {done} of {share} outputs");
            }
        }));

        await Plant(corpus);
        corpus.Counted("end text").ShouldBeGreaterThan(count / 10);
        corpus.JudgeMemory(before);
        corpus.Judge(count);
    }

    private static async Task Plant(Corpus corpus)
    {
        var judged = new Corpus("planted");
        await foreach (var line in Play(0, 4, "--plant"))
        {
            if (line.TryGetProperty("case", out _))
            {
                Judge(judged, line);
            }
        }

        corpus.Planted(judged.Has(Harm.Execution), "a parser that starts a program");
        corpus.Planted(judged.Has(Harm.Crash), "a parser that throws, and one that never ends");
        // A scrubber that does not know the secret.
        Scrub(judged, new Scrubber([]), 0, Encoding.UTF8.GetBytes($"login {Secret}"));
        corpus.Planted(judged.Has(Harm.Leak), "a secret in the text");
    }

    private static void Judge(Corpus corpus, JsonElement line)
    {
        if (line.GetProperty("crash").GetString() is { } crash)
        {
            var harm = !crash.StartsWith("did ", StringComparison.Ordinal) ? Harm.Crash
                : crash.Contains("socket", StringComparison.Ordinal) ? Harm.Connection : Harm.Execution;
            corpus.Found(harm, $"case {line.GetProperty("case")}: {crash}");
        }
    }

    private static void Scrub(Corpus corpus, Scrubber scrubber, int number, byte[] said)
    {
        const int limit = 2000;
        var text = Encoding.UTF8.GetString(said);
        var shown = scrubber.Text(text, limit);
        if (shown == "[withheld]" || shown.Length > limit + "\n[cut]".Length)
        {
            corpus.Found(Harm.Crash, $"case {number}: scrubbed to {shown.Length} characters: {shown[..Math.Min(20, shown.Length)]}");
        }

        if (shown.Any(each => (char.IsControl(each) && each is not ('\n' or '\t')) || each is >= '\u202A' and <= '\u202E'))
        {
            corpus.Found(Harm.Leak, $"case {number}: a control character");
        }

        // Ansible's own writer escapes what is no character, so JSON of any text arrives.
        var json = scrubber.Json(JsonSerializer.SerializeToElement(new Dictionary<string, string> { [$"k{text}"] = text }), 1 << 20);
        var kept = scrubber.Artifact(said);
        if (json is null || kept is null)
        {
            corpus.Found(Harm.Crash, $"case {number}: {(json is null ? "the result" : "the artefact")} could not be scrubbed");
        }

        if (Holds(shown) || Holds(json?.GetRawText() ?? "") || Holds(Encoding.Latin1.GetString(kept ?? [])))
        {
            corpus.Found(Harm.Leak, $"case {number}: the secret");
        }

        static bool Holds(string text) => text.Contains(Secret, StringComparison.Ordinal)
            || text.Contains(Convert.ToBase64String(Encoding.UTF8.GetBytes(Secret))[..^4], StringComparison.Ordinal);
    }

    private static async IAsyncEnumerable<JsonElement> Play(int first, int count, params string[] more)
    {
        static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
        using var process = Process.Start(
            new ProcessStartInfo(
                "/usr/bin/python3",
                [$"{PostgresServer.RepositoryRoot()}/tests/devices/hostile.py", "--outputs", Text(count), "--first", Text(first), "--seed",
                    Text(Corpus.Seed), "--secret", Secret, "--marker", "/nonexistent/marker", .. more])
            {
                RedirectStandardOutput = true, UseShellExecute = false,
            })!;
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            yield return JsonSerializer.Deserialize<JsonElement>(line);
        }

        await process.WaitForExitAsync();
        process.ExitCode.ShouldBe(0);
    }
}
