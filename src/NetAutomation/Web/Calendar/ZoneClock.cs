namespace NetAutomation.Web.Calendar;

/// <summary>
/// Local times of an IANA zone as instants, from the zone's UTC offsets alone: a time that does not exist is the first instant after the
/// gap, a time that comes twice is the first of the two.
/// </summary>
internal sealed class ZoneClock(TimeZoneInfo zone)
{
    private static readonly TimeSpan _day = TimeSpan.FromDays(1);
    private readonly TimeZoneInfo _zone = zone;

    /// <summary>Null where there is no such IANA zone.</summary>
    public static ZoneClock? Find(string id) =>
        id.Length is > 0 and <= 64 && char.IsAsciiLetter(id[0])
            && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '_' or '-' or '+')
        && TimeZoneInfo.TryFindSystemTimeZoneById(id, out var found) && found.HasIanaId
            ? new ZoneClock(found)
            : null;

    /// <summary>The names mean one zone: they are equal, or aliases such as US/Eastern.</summary>
    public static bool AreSame(string id, string other) =>
        id == other || (Find(id) is { } one && Find(other) is { } two && one._zone.HasSameRules(two._zone));

    public DateTime Local(DateTimeOffset instant) =>
        DateTime.SpecifyKind(instant.UtcDateTime + _zone.GetUtcOffset(instant.UtcDateTime), DateTimeKind.Unspecified);

    /// <summary>
    /// A local time from which on all later instants are found: a time that a gap moved forward lies before the local time of its instant.
    /// </summary>
    public DateTime LocalFrom(DateTimeOffset instant) =>
        _zone.GetUtcOffset(instant.UtcDateTime) == _zone.GetUtcOffset((instant - (2 * _day)).UtcDateTime)
            ? Local(instant) : Local(instant).AddDays(-2);

    public DateTimeOffset Instant(DateTime local)
    {
        var utc = DateTime.SpecifyKind(local, DateTimeKind.Utc);
        var (before, after) = (_zone.GetUtcOffset(utc - _day), _zone.GetUtcOffset(utc + _day));
        foreach (var offset in (ReadOnlySpan<TimeSpan>)[before, after])
        {
            if (_zone.GetUtcOffset(utc - offset) == offset)
            {
                return new DateTimeOffset(utc - offset);
            }
        }

        return GapEnd(utc - _day, utc + _day, before);
    }

    private DateTimeOffset GapEnd(DateTime low, DateTime high, TimeSpan before)
    {
        var (first, last) = (0L, (long)(high - low).TotalSeconds);
        while (last - first > 1)
        {
            var middle = first + ((last - first) / 2);
            (first, last) = _zone.GetUtcOffset(low.AddSeconds(middle)) == before ? (middle, last) : (first, middle);
        }

        return new DateTimeOffset(low.AddSeconds(last));
    }
}
