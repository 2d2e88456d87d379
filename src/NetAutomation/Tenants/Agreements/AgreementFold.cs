using NetAutomation.Marketplace;

namespace NetAutomation.Tenants.Agreements;

/// <summary>What one stored event says of an agreement.</summary>
internal sealed record Heard(string Id, LifecycleKind Kind, DateTimeOffset At, string? AgreementId, bool Listed);

/// <summary>
/// The state of an agreement as all its events together say. They come in any order and more than once, so it is computed from the whole
/// set by their own times, and never from one event and what was before.
/// </summary>
/// <param name="AgreementId">The agreement that is in force, or was last; a renewed licence is of another one.</param>
/// <param name="ActivatedAt">When it was confirmed last.</param>
/// <param name="EndedAt">When it ended; null while it has not.</param>
/// <param name="AmendedAt">When what was bought may have changed last.</param>
/// <param name="EndingAt">When its end was announced, while it is ending.</param>
/// <param name="ByContract">Confirmed last by a contract that AWS lists; kept at its end, for AWS may list it again.</param>
internal sealed record AgreementFold(
    string State, string? AgreementId, DateTimeOffset? ActivatedAt, DateTimeOffset? EndingAt, DateTimeOffset? EndedAt,
    DateTimeOffset? AmendedAt, bool ByContract)
{
    public const string Pending = "pending";
    public const string Active = "active";
    public const string Ending = "ending";
    public const string Ended = "ended";

    public static AgreementFold Of(IEnumerable<Heard> events) => events
        .OrderBy(each => each.At).ThenBy(each => each.Kind).ThenBy(each => each.Id, StringComparer.Ordinal)
        .Aggregate(new AgreementFold(Pending, null, null, null, null, null, false), (fold, each) => fold.After(each));

    private AgreementFold After(Heard each) => each.Kind switch
    {
        LifecycleKind.Amended => this with { AmendedAt = each.At },
        LifecycleKind.Confirmed => new(Active, each.AgreementId ?? AgreementId, each.At, null, null, each.At, each.Listed),
        // What did not come about ends nothing that was in force.
        LifecycleKind.Failed when State == Pending => End(each),
        // Heard before its confirmation it would make a tenant active that nobody pays for.
        LifecycleKind.Ending when State == Active => this with { State = Ending, EndingAt = each.At },
        // The end of an agreement whose place another has taken.
        LifecycleKind.AgreementEnded when AgreementId is { } current && each.AgreementId != current => this,
        LifecycleKind.AgreementEnded or LifecycleKind.Ended => End(each),
        _ => this,
    };

    private AgreementFold End(Heard each) =>
        State == Ended
            ? this : this with { State = Ended, EndingAt = null, AgreementId = AgreementId ?? each.AgreementId, EndedAt = each.At };
}
