using System.Buffers.Text;
using System.ComponentModel;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;

namespace NetAutomation.Web;

/// <summary>One page of a list, newest first.</summary>
/// <param name="Items">The page.</param>
/// <param name="Next">Pass as <c>after</c> for the next page; null on the last.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? Next);

/// <summary>How much of a list is wanted. The cursor is bound to the list and its filters.</summary>
public sealed record PageQuery(
    [property: Description("Cursor: the previous page's next.")] string? After = null,
    [property: Description("Page size, 1 to 200.")] int? Limit = null)
{
    /// <summary>Of what customers and blocks wrote, in a page whose rows may be large; a page has one row at least.</summary>
    internal const int MostBytes = 1024 * 1024;
    private const int Largest = 200;
    private const int Usual = 50;

    /// <summary>
    /// Reads one row more than the page to learn whether there is a next one. <paramref name="read"/> takes the id to start below
    /// (null: from the newest) and how many rows to take, ordered by id descending.
    /// </summary>
    /// <param name="found">
    /// Where <paramref name="read"/> leaves out rows at the end, because they would be more than <see cref="MostBytes"/>: how many there
    /// were with them, as every row says.
    /// </param>
    internal async Task<Outcome<Page<T>>> Read<T>(
        string filters, Func<Guid?, int, Task<List<T>>> read, Func<T, Guid> id, Func<T, long>? found = null)
    {
        var size = Limit ?? Usual;
        if (size is < 1 or > Largest)
        {
            return Problems.Refused.At("/limit", "out_of_range", $"The limit is 1 to {Largest}.");
        }

        Guid? below = null;
        var seal = SHA256.HashData(Encoding.UTF8.GetBytes(filters)).AsSpan(0, 8).ToArray();
        if (After is not null)
        {
            var raw = new byte[24];
            if (After.Length > 64 || !Base64Url.IsValid(After) || !Base64Url.TryDecodeFromChars(After, raw, out var length)
                || length != raw.Length || !raw.AsSpan(16).SequenceEqual(seal))
            {
                return Problems.CursorMismatch.With();
            }

            below = new Guid(raw.AsSpan(0, 16), bigEndian: true);
        }

        var rows = await read(below, size + 1);
        if (rows.Count == 0 || (rows.Count <= size && (found is null || found(rows[0]) == rows.Count)))
        {
            return new Page<T>(rows, null);
        }

        if (rows.Count > size)
        {
            rows.RemoveAt(size);
        }

        return new Page<T>(rows, Base64Url.EncodeToString([.. id(rows[^1]).ToByteArray(bigEndian: true), .. seal]));
    }

    /// <summary>What <see cref="Read"/> returns, as the answer of an endpoint.</summary>
    internal async Task<Results<Ok<Page<T>>, Problem>> Answer<T>(
        string filters, Func<Guid?, int, Task<List<T>>> read, Func<T, Guid> id) =>
        (await Read(filters, read, id)).Refused(out var problem, out var page) ? problem : TypedResults.Ok(page);
}
