using System.Globalization;
using NetAutomation.Execution;
using NetAutomation.Runs;
using NetAutomation.Tests.Support;

namespace NetAutomation.Tests.Execution;

public sealed class EventSpoolTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"spool-{Guid.NewGuid():n}");

    public void Dispose() => File.Exists(_path).ShouldBeFalse("nothing is left behind");

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Every_event_comes_out_once_and_in_order_however_far_the_reader_is_behind(int seed)
    {
        var random = new Random(seed);
        using var spool = new EventSpool(_path);
        var (added, taken) = (0, 0);
        for (var round = 0; round < 20; round++)
        {
            var (count, size) = (random.Next(1, 400), random.Next(1, 16_000));
            for (var i = 0; i < count; i++)
            {
                await spool.Add(Numbered(added++, size, random.Next(10) == 0));
            }

            while (taken < added && random.Next(5) > 0)
            {
                taken += Check(await spool.Next(), taken);
            }
        }

        spool.Complete();
        while (await spool.Next() is { Count: > 0 } batch)
        {
            taken += Check(batch, taken);
        }

        taken.ShouldBe(added);
        spool.Dispose();
    }

    [Fact]
    public async Task A_writer_waits_where_the_file_is_full_and_goes_on_when_it_was_read()
    {
        using var spool = new EventSpool(_path);
        var writing = Task.Run(async () =>
        {
            for (var i = 0; i < 6000; i++)
            {
                await spool.Add(Numbered(i, 16_000, false));
            }

            spool.Complete();
        });
        await Task.WhenAny(writing, Full());
        writing.IsCompleted.ShouldBeFalse("96 MB do not fit");
        new FileInfo(_path).Length.ShouldBeLessThan(80 << 20);

        var taken = 0;
        while (await spool.Next() is { Count: > 0 } batch)
        {
            taken += Check(batch, taken);
        }

        taken.ShouldBe(6000);
        await writing;

        Task Full() => Eventually.Holds(() => File.Exists(_path) && new FileInfo(_path).Length >= 64 << 20);
    }

    [Fact]
    public async Task A_writer_waits_where_the_files_of_reports_fill_the_memory_and_every_batch_is_bounded()
    {
        using var spool = new EventSpool(_path);
        var (added, taken, largest) = (0, 0, 0);
        var adding = spool.Add(WithFile(added));
        while (adding.IsCompleted && added < 100)
        {
            adding = spool.Add(WithFile(++added));
        }

        added.ShouldBe(4, "32 MiB");
        var rest = Task.Run(async () =>
        {
            await adding;
            while (++added < 20)
            {
                await spool.Add(WithFile(added));
            }

            spool.Complete();
        });
        while (await spool.Next() is { Count: > 0 } batch)
        {
            largest = Math.Max(largest, batch.Count);
            taken += Check(batch, taken);
        }

        await rest;
        (taken, largest).ShouldBe((20, 4));

        static RunEvent WithFile(int number)
        {
            var plain = Numbered(number, 100, true);
            return plain with { Report = plain.Report! with { Artifacts = [new ArtifactFile("a", "text/plain", new byte[8 << 20])] } };
        }
    }

    private static RunEvent Numbered(int number, int size, bool report)
    {
        var device = DeviceId.New();
        var data = $$"""{"n":{{number}},"pad":"{{new string('ä', size / 2)}}"}""";
        return new RunEvent(DateTimeOffset.UtcNow, report ? "device_outcome" : "output", device, data,
            report ? new DeviceReport(
                device, DeviceOutcome.Ok, false, true, null, number.ToString(CultureInfo.InvariantCulture), null, null, null, null, [])
                    : null);
    }

    private static int Check(IReadOnlyList<RunEvent> batch, int from)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            batch[i].Data.ShouldStartWith($$"""{"n":{{from + i}},""");
            batch[i].Report?.Message.ShouldBe((from + i).ToString(CultureInfo.InvariantCulture));
        }

        return batch.Count;
    }
}
