using Amazon.Runtime;
using Amazon.SQS;
using Amazon.SQS.Model;

namespace NetAutomation.Tests.Aws;

public sealed class QueueCalls
{
    private const string Queue = "https://sqs.eu-central-1.amazonaws.com/1/q";

    [Fact]
    public async Task Receive_sends_json_1_0_and_reads_messages()
    {
        await using var aws = await AwsStub.StartAsync("sqs");
        aws.AnswerJson("""{"Messages":[{"MessageId":"m1","ReceiptHandle":"h1","MD5OfBody":"x","Body":"{\"a\":1}","Attributes":{"ApproximateReceiveCount":"2"},"New":[1]}]}""", headers: ("x-amzn-RequestId", "req-1"));
        using var client = new AmazonSQSClient(AwsStub.Credentials, aws.Configure<AmazonSQSConfig>());

        var answer = await client.ReceiveMessageAsync(new ReceiveMessageRequest
        {
            QueueUrl = Queue,
            MaxNumberOfMessages = 10,
            WaitTimeSeconds = 20,
            MessageSystemAttributeNames = [MessageSystemAttributeName.ApproximateReceiveCount],
        });

        aws.Only.SignatureFault.ShouldBeNull();
        aws.Only.Headers["Content-Type"].ShouldBe("application/x-amz-json-1.0");
        aws.Only.Headers["X-Amz-Target"].ShouldBe("AmazonSQS.ReceiveMessage");
        aws.Only.Body.ShouldBe($$"""{"MaxNumberOfMessages":10,"MessageSystemAttributeNames":["ApproximateReceiveCount"],"QueueUrl":"{{Queue}}","WaitTimeSeconds":20}""");
        answer.ResponseMetadata.RequestId.ShouldBe("req-1");
        var message = answer.Messages.ShouldHaveSingleItem();
        message.Body.ShouldBe("""{"a":1}""");
        message.ReceiptHandle.ShouldBe("h1");
        message.Attributes!["ApproximateReceiveCount"].ShouldBe("2");
    }

    [Fact]
    public async Task Empty_queue_leaves_messages_null()
    {
        await using var aws = await AwsStub.StartAsync("sqs");
        aws.AnswerJson("{}");
        using var client = new AmazonSQSClient(AwsStub.Credentials, aws.Configure<AmazonSQSConfig>());

        (await client.ReceiveMessageAsync(new ReceiveMessageRequest { QueueUrl = Queue })).Messages.ShouldBeNull();
    }

    [Fact]
    public async Task Delete_takes_an_answer_without_body()
    {
        await using var aws = await AwsStub.StartAsync("sqs");
        aws.AnswerWith(_ => Task.CompletedTask);
        using var client = new AmazonSQSClient(AwsStub.Credentials, aws.Configure<AmazonSQSConfig>());

        await client.DeleteMessageAsync(new DeleteMessageRequest { QueueUrl = Queue, ReceiptHandle = "h1" });

        aws.Only.Headers["X-Amz-Target"].ShouldBe("AmazonSQS.DeleteMessage");
        aws.Only.Body.ShouldBe($$"""{"QueueUrl":"{{Queue}}","ReceiptHandle":"h1"}""");
    }

    [Fact]
    public async Task Missing_queue_is_a_typed_error_with_the_query_code()
    {
        await using var aws = await AwsStub.StartAsync("sqs");
        aws.AnswerJson("""{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no queue"}""", 400, ("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender"));
        using var client = new AmazonSQSClient(AwsStub.Credentials, aws.Configure<AmazonSQSConfig>());

        var refusal = await Should.ThrowAsync<QueueDoesNotExistException>(client.ReceiveMessageAsync(new ReceiveMessageRequest { QueueUrl = Queue }));

        refusal.ErrorCode.ShouldBe("AWS.SimpleQueueService.NonExistentQueue");
        refusal.ErrorType.ShouldBe(ErrorType.Sender);
        refusal.Message.ShouldBe("no queue");
    }

    [Fact]
    public async Task Client_without_credentials_takes_those_of_the_chain()
    {
        await using var aws = await AwsStub.StartAsync("sqs");
        aws.AnswerJson("{}");
        var config = aws.Configure<AmazonSQSConfig>();
        config.DefaultAWSCredentials = AwsStub.Credentials;
        using var client = new AmazonSQSClient(config);

        await client.ReceiveMessageAsync(new ReceiveMessageRequest { QueueUrl = Queue });

        aws.Only.SignatureFault.ShouldBeNull();
    }
}
