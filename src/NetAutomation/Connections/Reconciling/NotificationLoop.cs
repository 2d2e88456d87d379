using Amazon.SQS;
using Amazon.SQS.Model;
using Microsoft.Extensions.Options;

namespace NetAutomation.Connections.Reconciling;

/// <summary>
/// Takes what EC2 tells of endpoint connections as "look now" and nothing else: the shape of its messages is not documented, and they come
/// late, twice or never.
/// </summary>
internal sealed partial class NotificationLoop(
    IServiceProvider services, ReconcileSignal signal, IOptions<ConnectionsOptions> options, TimeProvider time, ILogger<NotificationLoop> log) : BackgroundService
{
    private static readonly TimeSpan _afterFailure = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (options.Value.NotificationQueueUrl.Length > 0 && !stoppingToken.IsCancellationRequested)
        {
            try
            {
                await Receive(services.GetRequiredService<IAmazonSQS>(), options.Value.NotificationQueueUrl, stoppingToken);
            }
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
            {
                Log.Failed(log, fault);
                await Task.Delay(_afterFailure, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task Receive(IAmazonSQS queue, string url, CancellationToken cancel)
    {
        var received = await queue.ReceiveMessageAsync(new ReceiveMessageRequest { QueueUrl = url, MaxNumberOfMessages = 10, WaitTimeSeconds = 20 }, cancel);
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
        await Task.WhenAll(messages.Select(message => queue.DeleteMessageAsync(new DeleteMessageRequest { QueueUrl = url, ReceiptHandle = message.ReceiptHandle }, cancel)));
    }

    private static partial class Log
    {
        [LoggerMessage(309, LogLevel.Debug, "EC2 tells of endpoint connections: {Body}")]
        public static partial void Told(ILogger logger, string? body);

        [LoggerMessage(310, LogLevel.Warning, "Notifications of endpoint connections could not be taken; EC2 is polled")]
        public static partial void Failed(ILogger logger, Exception exception);
    }
}
