using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Persistence;
using Npgsql;

namespace NetAutomation.Web.Http;

/// <summary>A row of a plain resource.</summary>
internal interface IResource<TKind> : IVersioned
    where TKind : IIdKind
{
    Id<TKind> Id { get; }

    string Name { get; }
}

/// <summary>The services that the use cases of a plain resource need.</summary>
internal readonly record struct ResourceCall(NetAutomationDb Db, Caller Caller, AuditLog Audit, HttpContext Http, CancellationToken Cancel);

/// <summary>The record of a change in the audit log.</summary>
/// <param name="Action">Where it is not <c>{name}.changed</c>.</param>
internal sealed record Changed(object Data, string? Action = null);

/// <summary>The common part of the use cases of plain resources: id, version as ETag, refusals, audit.</summary>
/// <param name="name">As it starts audit actions, for example <c>device</c>.</param>
/// <param name="path">Of the list.</param>
/// <param name="view">A row as the API shows it.</param>
/// <param name="inUse">The refusal where other rows still refer to the deleted one.</param>
/// <param name="taken">Refusals by the unique constraint that is violated.</param>
internal sealed class Resource<TKind, TRow, TView>(
    string name, string path, Func<TRow, TView> view, ProblemType? inUse, params (string Constraint, ProblemType Refusal)[] taken)
    where TKind : IIdKind
    where TRow : class, IResource<TKind>
{
    public async Task<Results<Created<TView>, Problem>> Create(ResourceCall call, TRow row, object data, Func<TRow, Task>? saved = null)
    {
        call.Db.Add(row);
        if (await Save(call.Db, call.Cancel) is { } problem)
        {
            return problem;
        }

        await (saved?.Invoke(row) ?? Task.CompletedTask);
        await call.Audit.Append(call.Caller, $"{name}.created", $"{row.Id}", data, call.Cancel);
        ETags.Show(call.Http, row.Version);
        return TypedResults.Created($"{path}/{row.Id}", view(row));
    }

    /// <param name="among">Only these; all where null.</param>
    /// <param name="filter">The filter of the rows; the cursor is bound to it.</param>
    public async Task<Results<Ok<Page<TView>>, Problem>> List(
        PageQuery page, NetAutomationDb db, CancellationToken cancel, IQueryable<TRow>? among = null, object? filter = null)
    {
        var read = await page.Read(
            $"{path} {filter}",
            (below, count) =>
            {
                var rows = among ?? db.Set<TRow>();
                if (below is { } last)
                {
                    var id = new Id<TKind>(last);
                    rows = rows.Where(row => row.Id.CompareTo(id) < 0);
                }

                return rows.AsNoTracking().OrderByDescending(row => row.Id).Take(count).ToListAsync(cancel);
            },
            row => row.Id.Value);
        return read.Refused(out var problem, out var found)
            ? problem : TypedResults.Ok(new Page<TView>([.. found.Items.Select(view)], found.Next));
    }

    public async Task<Results<Ok<TView>, Problem>> Show(Id<TKind> id, NetAutomationDb db, HttpContext http, CancellationToken cancel)
    {
        if (await db.Set<TRow>().AsNoTracking().FirstOrDefaultAsync(row => row.Id == id, cancel) is not { } row)
        {
            return Problems.NotFound.With();
        }

        ETags.Show(http, row.Version);
        return TypedResults.Ok(view(row));
    }

    /// <summary>Where nothing changes, the version stays and the audit log hears nothing.</summary>
    /// <param name="apply">Writes the change into the row, or refuses it.</param>
    /// <param name="saved">Further work in the same transaction, after the row is written and so locked.</param>
    public async Task<Results<Ok<TView>, Problem>> Change(
        ResourceCall call, Id<TKind> id, Func<TRow, Task<Outcome<Changed>>> apply, Func<TRow, Task>? saved = null)
    {
        if ((await Load(call, id)).Refused(out var problem, out var row) || (await apply(row)).Refused(out problem, out var changed))
        {
            return problem;
        }

        if (call.Db.ChangeTracker.HasChanges())
        {
            if (await Save(call.Db, call.Cancel) is { } refusal)
            {
                return refusal;
            }

            await (saved?.Invoke(row) ?? Task.CompletedTask);
            await call.Audit.Append(call.Caller, changed.Action ?? $"{name}.changed", $"{id}", changed.Data, call.Cancel);
        }

        ETags.Show(call.Http, row.Version);
        return TypedResults.Ok(view(row));
    }

    public async Task<Results<NoContent, Problem>> Delete(ResourceCall call, Id<TKind> id)
    {
        if ((await Load(call, id)).Refused(out var problem, out var row))
        {
            return problem;
        }

        call.Db.Remove(row);
        if (await Save(call.Db, call.Cancel) is { } refusal)
        {
            return refusal;
        }

        await call.Audit.Append(call.Caller, $"{name}.deleted", $"{id}", new { row.Name }, call.Cancel);
        return TypedResults.NoContent();
    }

    /// <summary>Null where it is saved. Deferred constraints are checked now, not at the commit.</summary>
    /// <param name="rest">Further writes, whose refusals are the same.</param>
    public async Task<Problem?> Save(NetAutomationDb db, CancellationToken cancel, Func<Task>? rest = null)
    {
        try
        {
            await db.SaveChangesAsync(cancel);
            await (rest?.Invoke() ?? Task.CompletedTask);
            await db.Execute($"set constraints all immediate", cancel);
            return null;
        }
        catch (DbUpdateConcurrencyException)
        {
            return Problems.PreconditionFailed.With();
        }
        catch (Exception fault) when (
            (fault as PostgresException ?? fault.InnerException as PostgresException) is { } refused && Refusal(refused) is { } refusal)
        {
            return refusal.With();
        }
    }

    private ProblemType? Refusal(PostgresException refused) => refused.SqlState switch
    {
        PostgresErrorCodes.UniqueViolation => Array.Find(taken, each => each.Constraint == refused.ConstraintName).Refusal,
        PostgresErrorCodes.ForeignKeyViolation or PostgresErrorCodes.RestrictViolation => inUse,
        _ => null,
    };

    private static async Task<Outcome<TRow>> Load(ResourceCall call, Id<TKind> id) =>
        await call.Db.Set<TRow>().FirstOrDefaultAsync(row => row.Id == id, call.Cancel) is not { } row ? Problems.NotFound.With()
        : ETags.Check(call.Http, row.Version) is { } stale ? stale
        : row;
}
