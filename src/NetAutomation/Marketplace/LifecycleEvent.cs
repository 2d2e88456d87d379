using System.Globalization;
using System.Text.Json;

namespace NetAutomation.Marketplace;

/// <summary>What a notice says about an agreement. Of two of the same time the greater one counts as the later.</summary>
internal enum LifecycleKind
{
    /// <summary>Nothing that changes it.</summary>
    Other,

    /// <summary>What was bought may be another.</summary>
    Amended,

    /// <summary>A subscription did not come about.</summary>
    Failed,

    Confirmed,

    /// <summary>Its last usage is taken for one hour.</summary>
    Ending,

    /// <summary>One agreement ended; the licence may go on under another.</summary>
    AgreementEnded,

    Ended,
}

/// <summary>
/// One notice of AWS Marketplace (Seller Guide: EventBridge events for SaaS; SNS notifications for SaaS). Events about agreements carry no
/// licence and no product, those about licences carry both, and the agreement's id is in all of them. The notices of products without
/// concurrent agreements carry the product and a customer identifier.
/// </summary>
/// <param name="Id">The sender's id: a redelivery has the same one.</param>
/// <param name="Name">The sender's name for the kind.</param>
/// <param name="At">
/// When it happened: of EventBridge its time, of SNS the time it was published. A raw SNS message has neither, so the time at which the
/// queue took it is all there is, and the order in which SNS delivered is taken for the order in which things happened.
/// </param>
internal sealed record LifecycleEvent(string Id, string Name, DateTimeOffset At, string Body)
{
    /// <summary>Of our own making: AWS was asked for the contract of a customer, and lists one.</summary>
    public const string Listed = "GetEntitlements: listed";

    /// <summary>AWS was asked, and lists none any more.</summary>
    public const string NotListed = "GetEntitlements: none";

    // An SNS message in a queue that holds an EventBridge event that holds nothing more.
    private const int MostEnvelopes = 2;

    public string? LicenseArn { get; init; }

    public string? AgreementId { get; init; }

    public string? Account { get; init; }

    public string? CustomerIdentifier { get; init; }

    public string? ProductCode { get; init; }

    /// <summary>What the agreement went over to; null where the event does not say.</summary>
    public string? Status { get; init; }

    /// <summary>An action that is not known is <see cref="LifecycleKind.Other"/>: kept, and without effect.</summary>
    public static LifecycleKind KindOf(string name, string? status)
    {
        return name switch
        {
            "subscribe-success" or Listed => LifecycleKind.Confirmed,
            "subscribe-fail" => LifecycleKind.Failed,
            "unsubscribe-pending" => LifecycleKind.Ending,
            "unsubscribe-success" or NotListed => LifecycleKind.Ended,
            "entitlement-updated" => LifecycleKind.Amended,
            _ when Is("License Updated") => LifecycleKind.Confirmed,
            _ when Is("License Deprovisioned") => LifecycleKind.Ended,
            _ when Is("Purchase Agreement Amended") => LifecycleKind.Amended,
            // Also sent where another agreement takes the place of this one: then the subscription goes on.
            _ when Is("Purchase Agreement Ended")
                && status?.ToUpperInvariant() is not ("RENEWED" or "REPLACED") => LifecycleKind.AgreementEnded,
            _ => LifecycleKind.Other,
        };

        bool Is(string start) => name.StartsWith(start, StringComparison.Ordinal);
    }

    /// <summary>Tells the shapes of a message apart; what is none of them is kept as it came, under the queue's id.</summary>
    /// <param name="sentAt">When the queue took the message.</param>
    public static LifecycleEvent Read(string messageId, string body, DateTimeOffset sentAt) =>
        Open(messageId, body, sentAt, body, MostEnvelopes);

    private static LifecycleEvent Open(string id, string text, DateTimeOffset at, string body, int envelopes)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var root = document.RootElement;
            return envelopes > 0 && Text(root, "Type") == "Notification" && Text(root, "Message") is { } message
                ? Open(Text(root, "MessageId") ?? id, message, Time(Text(root, "Timestamp")) ?? at, body, envelopes - 1)
                : Bridged(root, body, at) ?? Noticed(root, id, body, at) ?? new LifecycleEvent(id, "unknown", at, body);
        }
        catch (JsonException)
        {
            return new LifecycleEvent(id, "unreadable", at, JsonSerializer.Serialize(body));
        }
    }

    private static LifecycleEvent? Bridged(JsonElement root, string body, DateTimeOffset at) =>
        Text(root, "detail-type") is { } name && Text(root, "id") is { } id && root.TryGetProperty("detail", out var detail)
            ? new LifecycleEvent(id, name, Time(Text(root, "time")) ?? at, body)
            {
                LicenseArn = Text(detail, "license", "arn"),
                AgreementId = Text(detail, "agreement", "id"),
                Account = Text(detail, "acceptor", "accountId"),
                ProductCode = Text(detail, "product", "code"),
                Status = Text(detail, "agreement", "status"),
            }
            : null;

    private static LifecycleEvent? Noticed(JsonElement root, string id, string body, DateTimeOffset at) =>
        Member(root, "action") is { } action
        ? new LifecycleEvent(id, action, at, body)
        {
            CustomerIdentifier = Member(root, "customeridentifier"),
            Account = Member(root, "customerawsaccountid"),
            ProductCode = Member(root, "productcode"),
        }
        : null;

    private static DateTimeOffset? Time(string? text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time.ToUniversalTime() : null;

    /// <summary>By a name in kebab-case, as AWS sends it, or in PascalCase, as older guides show it.</summary>
    private static string? Member(JsonElement root, string name)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        foreach (var member in root.EnumerateObject())
        {
            if (member.Name.Replace("-", "", StringComparison.Ordinal).Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return Text(member.Value);
            }
        }

        return null;
    }

    private static string? Text(JsonElement element, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out element))
            {
                return null;
            }
        }

        if (element.ValueKind != JsonValueKind.String)
        {
            return null;
        }

        try
        {
            // PostgreSQL stores no U+0000.
            return element.GetString() is { } text && !text.Contains('\0', StringComparison.Ordinal) ? text : null;
        }
        catch (InvalidOperationException)
        {
            // Half a character.
            return null;
        }
    }
}
