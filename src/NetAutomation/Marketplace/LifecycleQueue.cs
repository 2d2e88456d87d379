using System.Globalization;
using Amazon.SQS;
using Amazon.SQS.Model;
using Microsoft.Extensions.Options;

namespace NetAutomation.Marketplace;

/// <summary>
/// The queue of notices. A message is deleted only after it was processed, so one that fails is delivered again and delays no other.
/// </summary>
internal sealed class LifecycleQueue(IServiceProvider services, IOptions<MarketplaceOptions> options, TimeProvider clock)
{
    /// <summary>Waits up to 20 seconds for messages and hands each to <paramref name="process"/>.</summary>
    public async Task Receive(Func<LifecycleEvent, Task> process, CancellationToken cancel)
    {
        var queue = services.GetRequiredService<IAmazonSQS>();
        var url = options.Value.QueueUrl;
        var received = await queue.ReceiveMessageAsync(
            new ReceiveMessageRequest
            {
                QueueUrl = url, MaxNumberOfMessages = 10, WaitTimeSeconds = 20, VisibilityTimeout = 60,
                MessageSystemAttributeNames = [MessageSystemAttributeName.SentTimestamp.Value],
            },
            cancel);
        List<Exception> faults = [];
        foreach (var message in received.Messages ?? [])
        {
            try
            {
                await process(LifecycleEvent.Read(message.MessageId!, message.Body ?? "", SentAt(message)));
                await queue.DeleteMessageAsync(new DeleteMessageRequest { QueueUrl = url, ReceiptHandle = message.ReceiptHandle }, cancel);
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                faults.Add(fault);
            }
        }

        if (faults.Count > 0)
        {
            throw new AggregateException($"{faults.Count} messages could not be processed.", faults);
        }
    }

    private DateTimeOffset SentAt(Message message) =>
        long.TryParse(
            message.Attributes?.GetValueOrDefault(MessageSystemAttributeName.SentTimestamp.Value), NumberStyles.None,
            CultureInfo.InvariantCulture, out var milliseconds)
            ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds)
            : clock.GetUtcNow();
}
