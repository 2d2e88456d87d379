using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using NetAutomation.Persistence;

namespace NetAutomation.Web;

/// <summary>Where an export is read from.</summary>
/// <param name="Db">Each read opens its own transaction of the tenant: a slow reader keeps none open.</param>
internal sealed record ExportSource(NetAutomationDb Db, Caller Caller, IServiceProvider Services);

/// <summary>A module's part of a tenant's export: rows of one kind, as the API shows them.</summary>
internal sealed record ExportPart(string Kind, Func<ExportSource, CancellationToken, IAsyncEnumerable<JsonElement>> Rows)
{
    private const int PageSize = 200;

    /// <summary>Everything that a list of the API shows, page by page.</summary>
    public static ExportPart Of<T>(
        string kind, Func<ExportSource, PageQuery, CancellationToken, Task<Results<Ok<Page<T>>, Problem>>> list) =>
        new(kind, (source, cancel) => Pages(source, list, cancel));

    private static async IAsyncEnumerable<JsonElement> Pages<T>(
        ExportSource source, Func<ExportSource, PageQuery, CancellationToken, Task<Results<Ok<Page<T>>, Problem>>> list,
        [EnumeratorCancellation] CancellationToken cancel)
    {
        string? after = null;
        do
        {
            Page<T> page;
            await using (await source.Db.Begin(source.Caller.Tenant, cancel))
            {
                page = (await list(source, new PageQuery(after, PageSize), cancel)).Result is Ok<Page<T>> { Value: { } value }
                    ? value : throw new InvalidOperationException($"A list of {typeof(T).Name} refused its own cursor.");
            }

            foreach (var item in page.Items)
            {
                yield return JsonSerializer.SerializeToElement(item, Json.Api);
            }

            source.Db.ChangeTracker.Clear();
            after = page.Next;
        }
        while (after is not null);
    }
}
