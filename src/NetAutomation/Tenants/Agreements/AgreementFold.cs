using NetAutomation.Marketplace;

namespace NetAutomation.Tenants.Agreements;

/// <summary>A stored event, as it concerns an agreement.</summary>
/// <param name="Listed">AWS listed a contract.</param>
internal sealed record AgreementEvent(string Id, LifecycleKind Kind, DateTimeOffset At, string? AgreementId, bool Listed);

/// <summary>
/// The state of an agreement, computed from all its events. Events come in any order and more than once, so each computation uses the whole
/// set, ordered by the events' own times, and never only one event and the state before it.
/// </summary>
/// <param name="AgreementId">The agreement that is in force, or the last one that was; a renewed licence has another one.</param>
/// <param name="ActivatedAt">The last confirmation.</param>
/// <param name="EndingAt">While it is ending: when its end was announced.</param>
/// <param name="EndedAt">When it ended; null before that.</param>
/// <param name="AmendedAt">The last time at which the purchase may have changed.</param>
/// <param name="ByContract">A contract that AWS lists was the last confirmation; kept after the end, since AWS may list it again.</param>
internal sealed record AgreementFold(
    string State, string? AgreementId, DateTimeOffset? ActivatedAt, DateTimeOffset? EndingAt, DateTimeOffset? EndedAt,
    DateTimeOffset? AmendedAt, bool ByContract)
{
    public const string Pending = "pending";
    public const string Active = "active";
    public const string Ending = "ending";
    public const string Ended = "ended";

    public static AgreementFold Of(IEnumerable<AgreementEvent> events) => events
        .OrderBy(each => each.At).ThenBy(each => each.Kind).ThenBy(each => each.Id, StringComparer.Ordinal)
        .Aggregate(new AgreementFold(Pending, null, null, null, null, null, false), (fold, each) => fold.After(each));

    private AgreementFold After(AgreementEvent each) => each.Kind switch
    {
        LifecycleKind.Amended => this with { AmendedAt = each.At },
        LifecycleKind.Confirmed => new(Active, each.AgreementId ?? AgreementId, each.At, null, null, each.At, each.Listed),
        // A purchase that failed does not end an agreement that is in force.
        LifecycleKind.Failed when State == Pending => End(each),
        // Before its confirmation, it would make a tenant active for which nobody pays.
        LifecycleKind.Ending when State == Active => this with { State = Ending, EndingAt = each.At },
        // The end of an agreement that another one has replaced.
        LifecycleKind.AgreementEnded when AgreementId is { } current && each.AgreementId != current => this,
        LifecycleKind.AgreementEnded or LifecycleKind.Ended => End(each),
        _ => this,
    };

    private AgreementFold End(AgreementEvent each) =>
        State == Ended
            ? this : this with { State = Ended, EndingAt = null, AgreementId = AgreementId ?? each.AgreementId, EndedAt = each.At };
}
