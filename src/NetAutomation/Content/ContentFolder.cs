using System.Buffers.Binary;
using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace NetAutomation.Content;

/// <summary>A folder of content on disk: a block or a platform.</summary>
/// <param name="Name">The folder's name.</param>
/// <param name="Digest"><c>sha256:</c> and hex, over every file.</param>
/// <param name="Files">Every file by its path in the folder, without hidden ones.</param>
internal sealed partial record ContentFolder(string Name, string Digest, IReadOnlyList<ContentFile> Files)
{
    /// <summary>Largest size of all files, in bytes.</summary>
    public const int Largest = 4 * 1024 * 1024;

    public const int MostFiles = 1000;

    /// <summary>Why a link is refused: it would bring in what is not in the folder.</summary>
    public const string NoLinks = "neither a file nor a directory";

    private static readonly EnumerationOptions _everything = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None };
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
        var entries = new FileSystemEnumerable<FileSystemInfo>(directory, (ref entry) => entry.ToFileSystemInfo(), _everything)
        {
            ShouldIncludePredicate = (ref entry) => !Hidden(entry.FileName),
            ShouldRecursePredicate = (ref entry) => !Hidden(entry.FileName) && !entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
        };
        foreach (var entry in entries)
        {
            var path = Path.GetRelativePath(directory, entry.FullName);
            if (entry.LinkTarget is not null)
            {
                throw ContentException.At($"{name}/{path}", 0, NoLinks);
            }

            if (entry is not FileInfo file)
            {
                continue;
            }

            total += file.Length;
            if (total > Largest)
            {
                throw ContentException.At($"{name}/{path}", 0, $"more than {Largest} bytes in all");
            }

            files.Add(new ContentFile(path, File.ReadAllBytes(file.FullName)));
        }

        return Of(name, files);
    }

    private static bool Hidden(ReadOnlySpan<char> name) => name is ['.', ..] or "__pycache__";

    /// <exception cref="ContentException">A path may not stand in a folder, or the files are too many.</exception>
    public static ContentFolder Of(string name, List<ContentFile> files)
    {
        files.Sort((one, other) => string.CompareOrdinal(one.Path, other.Path));
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (var path in files.Select(file => file.Path))
        {
            var above = Enumerable.Range(0, path.Length).Where(i => path[i] == '/').Select(i => path[..i]);
            if (!PathForm().IsMatch(path) || !known.Add(path) || above.Any(known.Contains))
            {
                throw ContentException.At(name, 0, $"a file may not be called '{path}', and each is there once");
            }
        }

        if (files.Count > MostFiles || files.Sum(file => (long)file.Content.Length) > Largest)
        {
            throw ContentException.At(name, 0, $"more than {MostFiles} files, or more than {Largest} bytes in all");
        }

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

    [GeneratedRegex(@"\A[\w-][\w.-]{0,99}(?:/[\w-][\w.-]{0,99}){0,9}\z", RegexOptions.CultureInvariant | RegexOptions.ECMAScript, 1000)]
    private static partial Regex PathForm();
}

/// <param name="Path">Below the folder, with slashes.</param>
internal sealed record ContentFile(string Path, byte[] Content);
