using System.Formats.Tar;
using System.IO.Compression;

namespace NetAutomation.Content;

/// <summary>A folder of content as one file, a tar archive (POSIX pax) in gzip: the same folder gives the same bytes.</summary>
internal static class ContentArchive
{
    /// <summary>Media type of an archive.</summary>
    public const string MediaType = "application/gzip";

    /// <summary>Largest size of an archive that is read, in bytes.</summary>
    public const int Largest = 8 * 1024 * 1024;

    // An archive's own blocks and headers take a few kilobytes for each file.
    private const int LargestUnpacked = ContentFolder.Largest + ContentFolder.MostFiles * 4096;

    private const UnixFileMode Mode = (UnixFileMode)0b110_100_100;

    public static void Write(ContentFolder folder, Stream to)
    {
        using var zip = new GZipStream(to, CompressionLevel.SmallestSize, leaveOpen: true);
        using var tar = new TarWriter(zip, TarEntryFormat.Pax, leaveOpen: true);
        foreach (var (path, content) in folder.Files)
        {
            // Neither a time nor an owner, which differ from one machine to the next.
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, path)
            {
                DataStream = new MemoryStream(content), ModificationTime = DateTimeOffset.UnixEpoch, Mode = Mode,
            });
        }
    }

    /// <param name="name">The folder's name.</param>
    /// <exception cref="ContentException">It is no archive, or holds what a folder of content may not hold.</exception>
    public static async Task<ContentFolder> Read(string name, Stream from, CancellationToken cancel)
    {
        try
        {
            await using var zip = new GZipStream(from, CompressionMode.Decompress, leaveOpen: true);
            await using var tar = new TarReader(await Unpacked(name, zip, cancel));
            var files = new List<ContentFile>();
            while (await tar.GetNextEntryAsync(copyData: false, cancel) is { } entry)
            {
                if (entry.EntryType is TarEntryType.GlobalExtendedAttributes or TarEntryType.Directory)
                {
                    continue;
                }

                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile))
                {
                    throw ContentException.At($"{name}/{entry.Name}", 0, ContentFolder.NoLinks);
                }

                var content = new MemoryStream();
                await (entry.DataStream ?? Stream.Null).CopyToAsync(content, cancel);
                files.Add(new ContentFile(entry.Name, content.ToArray()));
            }

            return ContentFolder.Of(name, files);
        }
        catch (Exception fault) when (fault is InvalidDataException or FormatException and not ContentException or EndOfStreamException
            or ArgumentException or OverflowException)
        {
            throw ContentException.At(name, 0, "no tar archive in gzip", fault);
        }
    }

    // Bounds what is neither a file nor counted as one, too: directories, headers, attributes.
    private static async Task<MemoryStream> Unpacked(string name, Stream zip, CancellationToken cancel)
    {
        var unpacked = new MemoryStream();
        var part = new byte[81_920];
        while (await zip.ReadAsync(part, cancel) is > 0 and var read)
        {
            if (unpacked.Length + read > LargestUnpacked)
            {
                throw ContentException.At(name, 0, $"more than {LargestUnpacked} bytes as an archive");
            }

            await unpacked.WriteAsync(part.AsMemory(0, read), cancel);
        }

        unpacked.Position = 0;
        return unpacked;
    }
}
