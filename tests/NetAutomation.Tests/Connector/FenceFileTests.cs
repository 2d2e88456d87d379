using NetAutomation.Connector;

namespace NetAutomation.Tests.Connector;

public sealed class FenceFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("fences-");

    private string Path => System.IO.Path.Combine(_folder.FullName, "fences");

    [Fact]
    public async Task Raised_fence_survives_and_never_falls()
    {
        using (var fences = new FenceFile(Path))
        {
            fences.Raise("dev_a", 5).ShouldBeTrue();
            fences.Raise("dev_a", 4).ShouldBeFalse();
            fences.Raise("dev_a", 5).ShouldBeFalse();
            fences.Raise("dev_b", 9).ShouldBeTrue();
            await fences.Flush();
        }

        using var again = new FenceFile(Path);
        (again.Of("dev_a"), again.Of("dev_b"), again.Of("dev_c"), again.Highest).ShouldBe((5, 9, 0, 9));
        File.GetUnixFileMode(Path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task Flush_has_written_before_it_returns()
    {
        using var fences = new FenceFile(Path);
        await Task.WhenAll(Enumerable.Range(1, 200).Select(async i =>
        {
            fences.Raise($"dev_{i}", i);
            await fences.Flush();
            (await ReadShared()).ShouldContain($"dev_{i} {i}\n");
        }));
    }

    [Fact]
    public async Task Line_cut_short_by_a_crash_at_any_byte_is_dropped_and_the_rest_kept()
    {
        using (var fences = new FenceFile(Path))
        {
            fences.Raise("dev_a", 12);
            await fences.Flush();
            fences.Raise("dev_a", 3456);
            await fences.Flush();
        }

        var whole = await File.ReadAllTextAsync(Path);
        for (var length = "dev_a 12\n".Length; length < whole.Length; length++)
        {
            await File.WriteAllTextAsync(Path, whole[..length]);
            using var again = new FenceFile(Path);
            again.Of("dev_a").ShouldBe(12);
            again.Raise("dev_b", 7);
            await again.Flush();
            (await ReadShared()).ShouldBe("dev_a 12\ndev_b 7\n");
        }
    }

    [Theory]
    [InlineData("dev_a\n")]
    [InlineData("dev_a x\n")]
    [InlineData("dev_a -1\n")]
    [InlineData(" 5\n")]
    public void Damaged_file_stops_the_connector_rather_than_lose_a_fence(string text)
    {
        File.WriteAllText(Path, text);
        Should.Throw<InvalidDataException>(() => new FenceFile(Path));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a\nb")]
    public void Device_that_would_break_the_file_is_refused(string device)
    {
        using var fences = new FenceFile(Path);
        Should.Throw<ArgumentException>(() => fences.Raise(device, 1));
    }

    [Fact]
    public void Second_process_on_the_same_state_is_refused()
    {
        using var first = StateFiles.Lock(_folder.FullName);
        Should.Throw<InvalidOperationException>(() => StateFiles.Lock(_folder.FullName));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task<string> ReadShared()
    {
        await using var file = new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        return await reader.ReadToEndAsync();
    }
}
