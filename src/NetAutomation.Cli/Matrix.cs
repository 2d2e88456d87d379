using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using NetAutomation.Web;

namespace NetAutomation.Cli;

/// <summary>Plays the proofs of many blocks on many devices, and tells what held.</summary>
internal static class Matrix
{
    private const int Share = 8;
    private static readonly JsonSerializerOptions _json = new(Json.Api) { WriteIndented = true };

    /// <returns>0 where every cell is proven, and there is one.</returns>
    public static async Task<int> Play(
        Source source, IReadOnlyList<string> folders, string? only, IReadOnlyList<Device> devices, int? sample, int jobs, string? json,
        CancellationToken cancel)
    {
        var platforms = source.ReadPlatforms();
        var named = only is null ? devices.Select(device => device.Platform) : [only];
        if (named.FirstOrDefault(name => !platforms.ContainsKey(name)) is { } unknown)
        {
            throw new UsageException($"{unknown}: no such platform in {source.Platforms}");
        }

        var pools = devices.GroupBy(device => device.Platform, StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => group.ToList(), StringComparer.Ordinal);
        // A block that no platform serves yet has nothing to prove.
        var todo =
            (from folder in folders
             where Directory.Exists(Path.Combine(folder, "platforms"))
             let block = Block.Read(folder)
             from platform in block.Version.Platforms
             where (only is null || platform == only) && pools.ContainsKey(platform)
             select (Block: block, Platform: platforms[platform])).ToList();
        if (sample is { } seed)
        {
            todo = Sample(todo, seed);
        }

        var cells = new ConcurrentBag<Cell>();
        await using var sandboxes = new Sandboxes(source);
        using var room = new SemaphoreSlim(jobs);
        await Task.WhenAll(pools.SelectMany(pool =>
        {
            var queue = new ConcurrentQueue<(Block Block, Platform Platform)>(todo.Where(cell => cell.Platform.Version.Name == pool.Key));
            return pool.Value.Select(async device =>
            {
                while (queue.TryDequeue(out var next))
                {
                    await room.WaitAsync(cancel);
                    try
                    {
                        var cell = await new Play(next.Block, next.Platform, device, sandboxes, cancel).Run();
                        cells.Add(cell);
                        var (state, why) = cell.Fault is { } fault
                            ? ("FAILED", ": " + fault.Replace("\n", "\n  ", StringComparison.Ordinal)) : ("proven", "");
                        Console.WriteLine($"{state} {cell.Block} {cell.Platform} ({cell.Seconds:0.0} s on {cell.Device}){why}");
                    }
                    finally
                    {
                        room.Release();
                    }
                }
            });
        }));
        if (json is not null)
        {
            var ordered = cells.OrderBy(cell => cell.Folder, StringComparer.Ordinal).ThenBy(cell => cell.Platform, StringComparer.Ordinal);
            await File.WriteAllTextAsync(json, JsonSerializer.Serialize(ordered, _json) + "\n", cancel);
        }

        var proven = cells.Where(cell => cell.Fault is null).ToList();
        Console.WriteLine(
            $"{proven.Count} cells proven ({proven.Count(cell => cell.Real)} on real devices), {cells.Count - proven.Count} failed");
        return proven.Count > 0 && proven.Count == cells.Count ? 0 : 1;
    }

    /// <summary>An eighth of the cells: first one of each block and platform, then others.</summary>
    private static List<(Block Block, Platform Platform)> Sample(List<(Block Block, Platform Platform)> all, int seed)
    {
        List<(Block Block, Platform Platform)> order = [.. all.OrderBy(
            cell => Convert.ToHexString(
                SHA256.HashData(Encoding.UTF8.GetBytes($"{seed} {cell.Block.Version.Slug} {cell.Platform.Version.Name}"))),
            StringComparer.Ordinal)];
        var needed = order.DistinctBy(cell => cell.Block.Version.Slug).Concat(order.DistinctBy(cell => cell.Platform.Version.Name))
            .Distinct().ToList();
        return [.. needed.Concat(order.Except(needed)).Take(Math.Max(needed.Count, (all.Count + Share - 1) / Share))];
    }
}
