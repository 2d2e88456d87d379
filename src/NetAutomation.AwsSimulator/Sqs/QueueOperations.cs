using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using NetAutomation.AwsSimulator.State;
using NetAutomation.AwsSimulator.Wire;

namespace NetAutomation.AwsSimulator.Sqs;

/// <summary>Amazon SQS, AWS JSON 1.0 protocol.</summary>
internal sealed class QueueOperations(IReadOnlyDictionary<string, MessageQueue> queues, SimulatorOptions options)
{
    private static readonly string[] _attributeMembers = ["AttributeNames", "MessageSystemAttributeNames"];

    private const int LargestMessage = 1024 * 1024;

    public Dictionary<string, JsonOperation> Operations => new(StringComparer.Ordinal)
    {
        ["AmazonSQS.ReceiveMessage"] = ReceiveAsync,
        ["AmazonSQS.DeleteMessage"] = (call, body) => Task.FromResult(Delete(call, body)),
        ["AmazonSQS.SendMessage"] = (call, body) => Task.FromResult(Send(call, body)),
    };

    private MessageQueue Queue(AwsCall call, JsonObject body)
    {
        var path = Uri.TryCreate(JsonFields.Required(body, "QueueUrl"), UriKind.Absolute, out var url) ? url.AbsolutePath.Split('/') : [];
        return path.Length == 3 && path[1] == options.ProviderAccount && call.Account == options.ProviderAccount
            && queues.TryGetValue(path[2], out var queue) ? queue :
            throw new AwsException("QueueDoesNotExist", "The specified queue does not exist.")
            {
                QueryCode = "AWS.SimpleQueueService.NonExistentQueue",
            };
    }

    private async Task<object> ReceiveAsync(AwsCall call, JsonObject body)
    {
        var queue = Queue(call, body);
        var max = Within(body, "MaxNumberOfMessages", 1, 1, 10);
        var wait = Within(body, "WaitTimeSeconds", 0, 0, 20);
        var visibility = Within(body, "VisibilityTimeout", 30, 0, 43200);
        var asked = _attributeMembers.SelectMany(n => (body[n] as JsonArray)?.Select(a => a?.ToString() ?? "") ?? [])
            .ToHashSet(StringComparer.Ordinal);
        var messages = await queue.ReceiveAsync(max, visibility, wait, call.Aborted);
        return new { Messages = messages.Count == 0 ? null : messages.Select(m => View(m, asked)) };
    }

    private static object View(ReceivedMessage message, HashSet<string> asked)
    {
        var attributes = new (string Name, long Value)[]
        {
            ("ApproximateReceiveCount", message.ReceiveCount),
            ("SentTimestamp", message.Sent.ToUnixTimeMilliseconds()),
            ("ApproximateFirstReceiveTimestamp", message.FirstReceived.ToUnixTimeMilliseconds()),
        }.Where(a => asked.Contains(a.Name) || asked.Contains("All"))
            .ToDictionary(a => a.Name, a => a.Value.ToString(CultureInfo.InvariantCulture), StringComparer.Ordinal);
        return new
        {
            MessageId = message.Id,
            ReceiptHandle = Convert.ToBase64String(Encoding.ASCII.GetBytes(message.Receipt)),
            MD5OfBody = Md5(message.Body),
            message.Body,
            Attributes = attributes.Count > 0 ? attributes : null,
        };
    }

    private object Delete(AwsCall call, JsonObject body)
    {
        var queue = Queue(call, body);
        var receipt = JsonFields.Required(body, "ReceiptHandle");
        var bytes = new byte[receipt.Length];
        return Convert.TryFromBase64String(receipt, bytes, out var length) && queue.Delete(Encoding.ASCII.GetString(bytes, 0, length))
            ? new { } :
            throw new AwsException("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
            {
                QueryCode = "ReceiptHandleIsInvalid",
            };
    }

    private object Send(AwsCall call, JsonObject body)
    {
        var queue = Queue(call, body);
        var text = JsonFields.Required(body, "MessageBody");
        if (Encoding.UTF8.GetByteCount(text) > LargestMessage)
        {
            throw Invalid("One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.");
        }
        return new { MessageId = queue.Send(text, Within(body, "DelaySeconds", 0, 0, 900)), MD5OfMessageBody = Md5(text) };
    }

    private static int Within(JsonObject body, string name, int standard, int low, int high) =>
        JsonFields.Integer(body, name) is not { } value ? standard :
        value >= low && value <= high ? (int)value :
        throw Invalid($"Value {value} for parameter {name} is invalid. Reason: Must be between {low} and {high}, if provided.");

    private static AwsException Invalid(string message) => new("InvalidParameterValue", message) { QueryCode = "InvalidParameterValue" };

    // MD5 is what the protocol names; nothing is protected by it.
#pragma warning disable CA5351, S4790
    private static string Md5(string text) => Convert.ToHexStringLower(MD5.HashData(Encoding.UTF8.GetBytes(text)));
#pragma warning restore CA5351, S4790
}
