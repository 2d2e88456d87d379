using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using NetAutomation.Catalog.Schema;

namespace NetAutomation.Catalog.Publish;

/// <summary>A block as it lies on disk: <c>block.yaml</c>, <c>playbook.yml</c>, <c>README.md</c> and whatever they use.</summary>
internal sealed record BlockFolder(BlockManifest Manifest, string Readme, string Digest, IReadOnlyList<(string Path, byte[] Content)> Files)
{
    private const int LargestFolder = 4 * 1024 * 1024;
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <exception cref="FormatException">The folder is not a block that may be published; the message names folder and reasons.</exception>
    public static BlockFolder Read(string directory)
    {
        try
        {
            var files = Content(directory);
            var manifest = BlockManifest.Parse(Text(files, "block.yaml"));
            if (manifest.Slug != Path.GetFileName(directory))
            {
                throw new FormatException($"/slug: the folder is not named {manifest.Slug}");
            }

            _ = Text(files, "playbook.yml");
            InputSchema.Read(manifest.Input.GetRawText());
            return new BlockFolder(manifest, Text(files, "README.md"), DigestOf(files), files);
        }
        catch (Exception fault) when (fault is FormatException or DecoderFallbackException)
        {
            throw new FormatException($"Block {directory}: {fault.Message}", fault);
        }
    }

    /// <summary>SHA-256 over paths and contents in byte order of the path, each with its length in front, so that no two folders share it.</summary>
    public static string DigestOf(IEnumerable<(string Path, byte[] Content)> files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[8];
        foreach (var (path, content) in files.OrderBy(file => file.Path, StringComparer.Ordinal))
        {
            foreach (var part in (byte[][])[Encoding.UTF8.GetBytes(path), content])
            {
                BinaryPrimitives.WriteInt64BigEndian(length, part.Length);
                hash.AppendData(length);
                hash.AppendData(part);
            }
        }

        return $"sha256:{Convert.ToHexStringLower(hash.GetHashAndReset())}";
    }

    private static List<(string Path, byte[] Content)> Content(string directory)
    {
        var files = new List<(string, byte[])>();
        var total = 0L;
        foreach (var file in new DirectoryInfo(directory).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(directory, file.FullName);
            if (path.Split('/').Any(part => part.StartsWith('.') || part == "__pycache__"))
            {
                continue;
            }

            total += file.Length;
            if (file.LinkTarget is not null || total > LargestFolder)
            {
                throw new FormatException($"{path}: a link, or more than {LargestFolder} bytes in all");
            }

            files.Add((path, File.ReadAllBytes(file.FullName)));
        }

        return [.. files.OrderBy(file => file.Item1, StringComparer.Ordinal)];
    }

    private static string Text(List<(string Path, byte[] Content)> files, string name) =>
        files.Find(file => file.Path == name) is { Content: { } content } ? s_strict.GetString(content) : throw new FormatException($"{name} is missing");
}
