using Amazon.SQS;
using Amazon.SQS.Model;
using Microsoft.Extensions.Options;

namespace NetAutomation.Connections.Reconciling;

/// <summary>
/// Takes what EC2 tells of endpoint connections as "look now" and nothing else: the shape of its messages is not documented, and they come
/// late, twice or never.
/// </summary>
internal sealed partial class NotificationLoop(
    IServiceProvider services, ReconcileSignal signal, IOptions<ConnectionsOptions> options, ILogger<NotificationLoop> log)
{
    public async Task Run(CancellationToken cancel)
    {
        var (queue, url) = (services.GetRequiredService<IAmazonSQS>(), options.Value.NotificationQueueUrl);
        var received =
            await queue.ReceiveMessageAsync(
                new ReceiveMessageRequest { QueueUrl = url, MaxNumberOfMessages = 10, WaitTimeSeconds = 20 }, cancel);
        if (received.Messages is not { Count: > 0 } messages)
        {
            return;
        }

        signal.Nudge();
        foreach (var message in messages)
        {
            Log.Told(log, message.Body);
        }

        // Lost with this process they cost time only, so they need not wait for the round.
        await Task.WhenAll(
            messages.Select(
                message =>
                    queue.DeleteMessageAsync(new DeleteMessageRequest { QueueUrl = url, ReceiptHandle = message.ReceiptHandle }, cancel)));
    }

    private static partial class Log
    {
        [LoggerMessage(907, LogLevel.Debug, "EC2 tells of endpoint connections: {Body}")]
        public static partial void Told(ILogger logger, string? body);
    }
}
