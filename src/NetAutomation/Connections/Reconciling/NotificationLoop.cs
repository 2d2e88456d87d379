using Amazon.SQS;
using Amazon.SQS.Model;
using Microsoft.Extensions.Options;

namespace NetAutomation.Connections.Reconciling;

/// <summary>
/// Takes each notification of EC2 about endpoint connections as a signal to run a round, and reads nothing from it: EC2 does not document
/// its form, and it may come late, twice or never.
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
            Log.Received(log, message.Body);
        }

        // Losing notifications with this process costs time only, so they need not stay in the queue until the round.
        await Task.WhenAll(
            messages.Select(
                message =>
                    queue.DeleteMessageAsync(new DeleteMessageRequest { QueueUrl = url, ReceiptHandle = message.ReceiptHandle }, cancel)));
    }

    private static partial class Log
    {
        [LoggerMessage(907, LogLevel.Debug, "EC2 sent a notification about endpoint connections: {Body}")]
        public static partial void Received(ILogger logger, string? body);
    }
}
