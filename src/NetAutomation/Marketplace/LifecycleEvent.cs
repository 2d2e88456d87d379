using System.Globalization;
using System.Text.Json;

namespace NetAutomation.Marketplace;

/// <summary>Effect of a notice on an agreement. Of two notices of the same time, the greater value counts as the later.</summary>
internal enum LifecycleKind
{
    /// <summary>None.</summary>
    Other,

    /// <summary>The agreement may now cover something else.</summary>
    Amended,

    /// <summary>The subscription failed.</summary>
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
/// Time of the event: EventBridge sends it, SNS the time of publication. A raw SNS message has neither, so the time at which the queue
/// received it is used, and the order of delivery counts as the order of the events.
/// </param>
/// <param name="Body">The message as it came.</param>
/// <param name="Status">The state that the agreement changed to; null where the event does not say.</param>
internal sealed record LifecycleEvent(
    string Id, string Name, DateTimeOffset At, string Body, string? LicenseArn = null, string? AgreementId = null, string? Account = null,
    string? CustomerIdentifier = null, string? ProductCode = null, string? Status = null)
{
    /// <summary>An event that this service makes: AWS was asked for the contract of a customer, and lists one.</summary>
    public const string Listed = "GetEntitlements: listed";

    /// <summary>The same, where AWS lists none any more.</summary>
    public const string NotListed = "GetEntitlements: none";

    // An SNS message in a queue that holds an EventBridge event that holds nothing more.
    private const int MostEnvelopes = 2;

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
            // Also sent where another agreement replaces this one: then the subscription continues.
            _ when Is("Purchase Agreement Ended")
                && status?.ToUpperInvariant() is not ("RENEWED" or "REPLACED") => LifecycleKind.AgreementEnded,
            _ => LifecycleKind.Other,
        };

        bool Is(string start) => name.StartsWith(start, StringComparison.Ordinal);
    }

    /// <summary>Reads a message of any known shape; another one is kept as it came, under the queue's id.</summary>
    /// <param name="sentAt">When the queue received the message.</param>
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
            ? new LifecycleEvent(
                id, name, Time(Text(root, "time")) ?? at, body,
                LicenseArn: Text(detail, "license", "arn"),
                AgreementId: Text(detail, "agreement", "id"),
                Account: Text(detail, "acceptor", "accountId"),
                ProductCode: Text(detail, "product", "code"),
                Status: Text(detail, "agreement", "status"))
            : null;

    private static LifecycleEvent? Noticed(JsonElement root, string id, string body, DateTimeOffset at) =>
        Member(root, "action") is { } action
        ? new LifecycleEvent(
            id, action, at, body,
            CustomerIdentifier: Member(root, "customeridentifier"),
            Account: Member(root, "customerawsaccountid"),
            ProductCode: Member(root, "productcode"))
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
