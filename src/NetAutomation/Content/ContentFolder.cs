using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace NetAutomation.Content;

/// <summary>A folder of content on disk: a block or a platform.</summary>
/// <param name="Name">The folder's name.</param>
/// <param name="Digest"><c>sha256:</c> and hex, over every file.</param>
/// <param name="Files">Every file by its path in the folder, without hidden ones.</param>
internal sealed record ContentFolder(string Name, string Digest, IReadOnlyList<ContentFile> Files)
{
    private const int LargestFolder = 4 * 1024 * 1024;
    private static readonly UTF8Encoding _strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Uses each folder of a directory, in order of name. Returns the reason for each folder that was refused.</summary>
    public static async Task<List<string>> Each(string directory, Func<ContentFolder, Task> use)
    {
        var refusals = new List<string>();
        foreach (var path in Directory.EnumerateDirectories(Path.GetFullPath(directory)).Order(StringComparer.Ordinal))
        {
            try
            {
                await use(Read(path));
            }
            catch (ContentException refused)
            {
                refusals.Add(refused.Message);
            }
        }

        return refusals;
    }

    /// <exception cref="ContentException">It holds a link or too much.</exception>
    public static ContentFolder Read(string directory)
    {
        var (name, files, total) = (Path.GetFileName(directory), new List<ContentFile>(), 0L);
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
                throw ContentException.At($"{name}/{path}", 0, $"a link, or more than {LargestFolder} bytes in all");
            }

            files.Add(new ContentFile(path, File.ReadAllBytes(file.FullName)));
        }

        files.Sort((one, other) => string.CompareOrdinal(one.Path, other.Path));
        return new ContentFolder(name, DigestOf(files), files);
    }

    /// <summary>
    /// SHA-256 over paths and contents in byte order of the path, each after its length, so that no two folders have the same digest.
    /// </summary>
    public static string DigestOf(IEnumerable<ContentFile> files)
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

    /// <exception cref="ContentException">There is no such file, or it is no UTF-8.</exception>
    public string Text(string path)
    {
        try
        {
            return Files.FirstOrDefault(file => file.Path == path) is { } file
                ? _strict.GetString(file.Content) : throw Fault(path, 0, "the file is missing");
        }
        catch (DecoderFallbackException fault)
        {
            throw ContentException.At($"{Name}/{path}", 0, "not UTF-8", fault);
        }
    }

    /// <exception cref="ContentException">There is no such file, or it is no strict YAML.</exception>
    public StrictYaml Yaml(string path) => StrictYaml.Read($"{Name}/{path}", Text(path));

    /// <exception cref="ContentException">The version was published with other files.</exception>
    public void MustBe(string published, string manifest, string version)
    {
        if (published != Digest)
        {
            throw Fault(
                manifest, 0,
                $"version {version} was published as {published} and is immutable, and the folder holds {Digest}: raise the version");
        }
    }

    public ContentException Fault(string path, int line, string reason) => ContentException.At($"{Name}/{path}", line, reason);
}

/// <param name="Path">Below the folder, with slashes.</param>
internal sealed record ContentFile(string Path, byte[] Content);
