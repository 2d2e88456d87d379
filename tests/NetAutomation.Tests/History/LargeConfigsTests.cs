using System.Diagnostics.CodeAnalysis;
using System.Text;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.History;

/// <summary>Measures the memory of the process, so nothing else runs meanwhile.</summary>
[CollectionDefinition(nameof(LargeConfigsTests), DisableParallelization = true)]
public sealed class LargeConfigsAlone : ICollectionFixture<HistoryFixture>;

[Collection(nameof(LargeConfigsTests))]
public sealed class LargeConfigsTests(HistoryFixture fixture)
{
    private const int Size = 8 << 20;
    private const int Count = 8;

    [Fact]
    public async Task Device_with_another_large_text_at_each_reading_takes_the_memory_of_few_texts()
    {
        var (tenant, devices) = await fixture.Tenant();
        var texts = Enumerable.Range(0, Count).Select(Text).ToList();
        await using var memory = new Memory();
        foreach (var text in texts)
        {
            await fixture.Keep(tenant, devices[0], text);
        }

        (await tenant.Client.Call("PUT", "/v1/config-retention", new { days = 396, configs = 5 }, "*")).Must(System.Net.HttpStatusCode.OK);
        await fixture.Forget();
        var configs = await HistoryFixture.Configs(tenant.Client, devices[0]);
        configs.Select(config => config.Number("version")).ShouldBe([8, 7, 6, 5, 4]);
        var taken = await memory.Most();
        // As strings, one text of such short lines takes 80 MiB and more.
        taken.ShouldBeLessThan(30 * Size, $"{taken >> 20} MiB");

        foreach (var version in new[] { 4, 6, 8 })
        {
            (await HistoryFixture.Text(tenant.Client, devices[0], configs[8 - version])).ShouldBe(texts[version - 1]);
        }

        (await fixture.Runs.Scalar<int>($"select max(plain) from history.pack where device_id = '{devices[0].Value}'"))
            .ShouldBeLessThanOrEqualTo(16 << 20);
    }

    // Lines of three characters, none of which tells much of another.
    private static string Text(int number)
    {
        var (random, text) = (new Random(number), new StringBuilder(Size));
        while (text.Length < Size)
        {
            text.Append((char)('a' + random.Next(26))).Append((char)('a' + random.Next(26))).Append((char)('a' + random.Next(26)))
                .Append('\n');
        }

        return $"{text}";
    }

    /// <summary>The most that was reachable since it was made, above what was then.</summary>
    private sealed class Memory : IAsyncDisposable
    {
        private readonly CancellationTokenSource _over = new();
        private readonly long _before = Reachable();
        private readonly Task<long> _watch;

        public Memory() => _watch = Task.Factory.StartNew(
            Watch, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        public async Task<long> Most()
        {
            await _over.CancelAsync();
            return await _watch - _before;
        }

        public async ValueTask DisposeAsync()
        {
            await Most();
            _over.Dispose();
        }

        private long Watch()
        {
            var most = 0L;
            while (!_over.IsCancellationRequested)
            {
                most = Math.Max(most, Reachable());
                _over.Token.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(100));
            }

            return most;
        }

        [SuppressMessage("Critical Code Smell", "S1215", Justification = "What is not reachable does not count.")]
        private static long Reachable()
        {
            GC.Collect();
            return GC.GetTotalMemory(forceFullCollection: false);
        }
    }
}
