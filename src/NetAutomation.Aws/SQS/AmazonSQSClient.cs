using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.SQS.Model;
using NetAutomation.Aws.Wire;

namespace Amazon.SQS;

/// <summary>Calls SQS, receiving and deleting messages (Amazon SQS API Reference).</summary>
public class AmazonSQSClient : AmazonServiceClient, IAmazonSQS
{
    private static readonly JsonMarshaller Marshaller = new(JsonDialect.Sqs);

    /// <summary>Takes the credentials from the SDK's default chain.</summary>
    public AmazonSQSClient(AmazonSQSConfig config)
        : base(config)
    {
    }

    public AmazonSQSClient(AWSCredentials credentials, AmazonSQSConfig clientConfig)
        : base(credentials, clientConfig)
    {
    }

    /// <inheritdoc/>
    public virtual Task<DeleteMessageResponse> DeleteMessageAsync(DeleteMessageRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<DeleteMessageResponse>(request, cancellationToken);

    /// <inheritdoc/>
    public virtual Task<ReceiveMessageResponse> ReceiveMessageAsync(ReceiveMessageRequest request, CancellationToken cancellationToken = default) =>
        CallAsync<ReceiveMessageResponse>(request, cancellationToken);

    protected override void CustomizeRuntimePipeline(RuntimePipeline pipeline) => Pipeline.Complete(pipeline);

    private Task<TResponse> CallAsync<TResponse>(AmazonWebServiceRequest request, CancellationToken cancellationToken)
        where TResponse : AmazonWebServiceResponse, new()
    {
        var options = new InvokeOptions
        {
            RequestMarshaller = Marshaller,
            ResponseUnmarshaller = new JsonUnmarshaller<TResponse, AmazonSQSException>(JsonDialect.Sqs),
        };
        return InvokeAsync<TResponse>(request, options, cancellationToken);
    }
}
