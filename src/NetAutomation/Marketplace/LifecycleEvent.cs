using System.Globalization;
using System.Text.Json;

namespace NetAutomation.Marketplace;

/// <summary>What happened to an agreement.</summary>
internal enum LifecycleKind
{
    Other,
    LicenseUpdated,
    LicenseDeprovisioned,
    AgreementEnded,
}

/// <summary>
/// One notice of AWS Marketplace (Seller Guide, EventBridge events for SaaS). Agreement events carry no licence and no product, licence
/// events carry both; the agreement id is in all of them.
/// </summary>
/// <param name="Id">The sender's id: a redelivery has the same one.</param>
/// <param name="Name">The sender's name for the kind.</param>
/// <param name="Status">What the agreement went over to; null where the event does not say.</param>
internal sealed record LifecycleEvent(
    string Id, string Name, DateTimeOffset At, string? LicenseArn, string? AgreementId, string? Account, string? ProductCode, string Body, string? Status = null)
{
    public LifecycleKind Kind => KindOf(Name, Status);

    public static LifecycleKind KindOf(string name, string? status) => name switch
    {
        _ when name.StartsWith("License Updated", StringComparison.Ordinal) => LifecycleKind.LicenseUpdated,
        _ when name.StartsWith("License Deprovisioned", StringComparison.Ordinal) => LifecycleKind.LicenseDeprovisioned,
        // Also sent where another agreement takes the place of this one: then the subscription goes on.
        _ when name.StartsWith("Purchase Agreement Ended", StringComparison.Ordinal) && status?.ToUpperInvariant() is not ("RENEWED" or "REPLACED") => LifecycleKind.AgreementEnded,
        _ => LifecycleKind.Other,
    };

    /// <summary>Tells the shapes of a message apart; what is none of them is kept as it came, under the queue's id.</summary>
    public static LifecycleEvent Read(string messageId, string body, DateTimeOffset receivedAt)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (Text(root, "detail-type") is { } name && Text(root, "id") is { } id && root.TryGetProperty("detail", out var detail))
            {
                var at = DateTimeOffset.TryParse(Text(root, "time"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : receivedAt;
                return new LifecycleEvent(
                    id, name, at, Text(detail, "license", "arn"), Text(detail, "agreement", "id"), Text(detail, "acceptor", "accountId"),
                    Text(detail, "product", "code"), body, Text(detail, "agreement", "status"));
            }

            return new LifecycleEvent(messageId, "unknown", receivedAt, null, null, null, null, body);
        }
        catch (JsonException)
        {
            return new LifecycleEvent(messageId, "unreadable", receivedAt, null, null, null, null, JsonSerializer.Serialize(body));
        }
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

        return element.ValueKind == JsonValueKind.String ? element.GetString() : null;
    }
}
