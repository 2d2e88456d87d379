using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using NetAutomation.Inventory.Model;
using NetAutomation.Inventory.Select;
using NetAutomation.Persistence;
using NetAutomation.Web;
using NetAutomation.Web.Evaluation;

namespace NetAutomation.Inventory;

/// <summary>Turns targets into devices, once and for all: nothing is ever dropped in silence.</summary>
internal static class TargetResolver
{
    private const int Most = 10_000;
    private const int Shown = 20;

    /// <summary>
    /// The devices, as their ids were given or else in name order, or the refusal with pointers below <c>/targets</c>. A disabled device is
    /// refused.
    /// </summary>
    public static Task<Outcome<TargetDevice[]>> Resolve(
        NetAutomationDb db, Evaluations evaluations, Targets targets, CancellationToken cancel = default) =>
        Resolve(db, evaluations, targets, disabledToo: false, cancel);

    /// <summary>The same, and disabled devices where they are wanted.</summary>
    public static async Task<Outcome<TargetDevice[]>> Resolve(
        NetAutomationDb db, Evaluations evaluations, Targets targets, bool disabledToo, CancellationToken cancel)
    {
        if ((targets.DeviceIds is null ? 0 : 1) + (targets.Selector is null ? 0 : 1) + (targets.All is null ? 0 : 1) != 1
            || targets.All == false)
        {
            return Web.Problems.Refused.At("/targets", "one_of", "Exactly one of deviceIds, selector and all: true.");
        }

        if (targets.DeviceIds is { } ids)
        {
            return await ById(db, ids, disabledToo, cancel);
        }

        var (query, at) = (db.Set<Device>().AsNoTracking(), "/targets/all");
        if (targets.Selector is not null)
        {
            at = "/targets/selector";
            if (Selector.Read(targets.Selector, at).Refused(out var problem, out var selector))
            {
                return problem;
            }

            query = (await Select(db, selector, evaluations.Begin(cancel), cancel)).AsNoTracking();
        }

        var found = await query.OrderBy(device => device.Name).Select(_found).Take(Most + 1).ToListAsync(cancel);
        if (found.Count is 0 or > Most)
        {
            return found.Count == 0
                ? Web.Problems.Refused.At(at, "no_targets", "No device is selected.")
                : Web.Problems.Refused.At(at, "too_many", $"At most {Most} devices.");
        }

        var disabled = found.Where(device => !device.Enabled).Select(device => device.Name).ToList();
        return disabled.Count > 0 && !disabledToo
            ? Web.Problems.Refused.At(
                at, "device_disabled", $"Disabled: {string.Join(", ", disabled.Take(Shown))}{(disabled.Count > Shown ? ", …" : "")}.")
            : found.ToArray();
    }

    /// <summary>Those of the devices that there are, in no order.</summary>
    public static async Task<IReadOnlyList<TargetDevice>> Find(
        NetAutomationDb db, IReadOnlyCollection<DeviceId> ids, CancellationToken cancel) =>
        await db.Set<Device>().AsNoTracking().Where(device => ids.Contains(device.Id)).Select(_found).ToListAsync(cancel);

    /// <summary>What is wrong with a selector.</summary>
    public static Problem? Refusal(string selector, string pointer = "/selector") => Selector.Read(selector, pointer).Problem;

    /// <summary>Every device a selector selects now, none included.</summary>
    public static async Task<Guid[]> Matching(NetAutomationDb db, string selector, EvaluationBudget budget, CancellationToken cancel) =>
        await Ids(await Select(db, Selector.Read(selector, "").Value, budget, cancel), cancel);

    /// <summary>Those of some devices that a selector selects now.</summary>
    /// <param name="budget">Null where the work has a bound of its own.</param>
    public static async Task<Guid[]> Matching(
        NetAutomationDb db, string selector, Guid[] among, EvaluationBudget? budget, CancellationToken cancel)
    {
        var read = Selector.Read(selector, "").Value;
        read.Charge(budget, among.Length);
        DeviceId[] ids = [.. among.Select(id => new DeviceId(id))];
        return await Ids(db.Set<Device>().FromSql(read.Query()).Where(device => ids.Contains(device.Id)), cancel);
    }

    /// <summary>The devices a selector selects of all, which costs as much as there are devices.</summary>
    public static async Task<IQueryable<Device>> Select(
        NetAutomationDb db, Selector selector, EvaluationBudget budget, CancellationToken cancel)
    {
        selector.Charge(budget, await db.Set<Device>().CountAsync(cancel));
        return db.Set<Device>().FromSql(selector.Query());
    }

    private static async Task<Guid[]> Ids(IQueryable<Device> devices, CancellationToken cancel) =>
        [.. (await devices.AsNoTracking().Select(device => device.Id).ToListAsync(cancel)).Select(id => id.Value)];

    private static async Task<Outcome<TargetDevice[]>> ById(
        NetAutomationDb db, IReadOnlyList<DeviceId> ids, bool disabledToo, CancellationToken cancel)
    {
        if (ids.Count is 0 or > Most)
        {
            return Web.Problems.Refused.At("/targets/deviceIds", ids.Count == 0 ? "no_targets" : "too_many", $"1 to {Most} devices.");
        }

        var found = (await Find(db, ids, cancel)).ToDictionary(device => device.DeviceId);
        var faults = new List<ProblemError>();
        var seen = new HashSet<DeviceId>();
        for (var i = 0; i < ids.Count; i++)
        {
            var at = $"/targets/deviceIds/{i}";
            if (!found.TryGetValue(ids[i], out var device))
            {
                faults.Add(new ProblemError(at, "unknown_device", "There is no such device."));
            }
            else if (!seen.Add(ids[i]))
            {
                faults.Add(new ProblemError(at, "duplicate", "The device is given twice."));
            }
            else if (!device.Enabled && !disabledToo)
            {
                faults.Add(new ProblemError(at, "device_disabled", $"{device.Name} is disabled."));
            }
        }

        return faults.Count > 0
            ? new Problem(Web.Problems.Refused, "Some targets cannot be used.", faults)
            : ids.Select(id => found[id]).ToArray();
    }

    private static readonly Expression<Func<Device, TargetDevice>> _found = device => new TargetDevice(
        device.Id, device.Name, device.SiteId, device.Platform, device.HostKeySha256 != null, device.Enabled);
}
