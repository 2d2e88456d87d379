using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.State;

/// <summary>One notification: which events of a service, or of one endpoint, go to a topic.</summary>
internal sealed record ConnectionNotification(
    long Sequence, string Id, string Account, string? ServiceId, string? EndpointId, string Topic, IReadOnlyList<string> Events,
    string? ClientToken);

/// <summary>Notifications of endpoint connections, sent through SNS topics to the queues that are subscribed to them.</summary>
internal sealed class ConnectionNotifications(
    SimulatorOptions options, IReadOnlyDictionary<string, MessageQueue> queues, TimeProvider clock)
{
    private static readonly string[] _events = ["Accept", "Connect", "Delete", "Reject"];

    private readonly Lock _gate = new();
    private readonly List<ConnectionNotification> _all = [];
    private long _sequence;

    public IReadOnlyList<ConnectionNotification> Of(string account)
    {
        lock (_gate)
        {
            return _all.FindAll(n => n.Account == account);
        }
    }

    public ConnectionNotification Create(
        string account, string? serviceId, string? endpointId, string topic, IReadOnlyList<string> events, string? clientToken)
    {
        if (!options.Topics.ContainsKey(topic))
        {
            throw new AwsException(
                "InvalidParameter", $"The topic '{topic}' does not exist, or its policy does not let vpce.amazonaws.com publish to it");
        }
        if (events.Count == 0 || events.FirstOrDefault(e => !_events.Contains(e)) is not null)
        {
            throw new AwsException("InvalidParameter", $"Valid connection events are {string.Join(", ", _events)}");
        }
        lock (_gate)
        {
            if (clientToken is not null && _all.Find(n => n.Account == account && n.ClientToken == clientToken) is { } known)
            {
                return known;
            }
            var notification =
                new ConnectionNotification(
                    ++_sequence, "vpce-nfn-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(9))[..17], account, serviceId,
                    endpointId, topic, events, clientToken);
            _all.Add(notification);
            return notification;
        }
    }

    public AwsException? Delete(string account, string id)
    {
        lock (_gate)
        {
            return _all.RemoveAll(n => n.Account == account && n.Id == id) > 0 ? null
                : new AwsException("InvalidConnectionNotification", $"The connection notification '{id}' does not exist");
        }
    }

    /// <param name="connectionEvent">Accept, Connect, Delete or Reject.</param>
    public void Send(VpcEndpoint endpoint, string connectionEvent)
    {
        List<ConnectionNotification> matching;
        lock (_gate)
        {
            matching =
                _all.FindAll(
                    n => (n.ServiceId == endpoint.Service.Id || n.EndpointId == endpoint.Id) && n.Events.Contains(connectionEvent));
        }
        foreach (var topic in matching.Select(n => n.Topic).Distinct(StringComparer.Ordinal))
        {
            queues[options.Topics[topic]].Deliver(SnsEnvelope.Write(topic, Body(), clock));
        }
    }

    // The shape AWS sends is not public, so this body holds nothing that a reader could come to depend on.
    private static string Body() => new JsonObject { ["simulated"] = Guid.NewGuid().ToString() }.ToJsonString();
}

/// <summary>The envelope SNS puts around a message for a queue without raw delivery.</summary>
internal static class SnsEnvelope
{
    public static string Write(string topic, string message, TimeProvider clock) => new JsonObject
    {
        ["Type"] = "Notification",
        ["MessageId"] = Guid.NewGuid().ToString(),
        ["TopicArn"] = topic,
        ["Message"] = message,
        ["Timestamp"] = clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
        ["SignatureVersion"] = "1",
        ["Signature"] = "c2ltdWxhdGVk",
        ["SigningCertURL"] = "https://sns.us-east-1.amazonaws.com/simulated.pem",
        ["UnsubscribeURL"] = "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    }.ToJsonString();
}
