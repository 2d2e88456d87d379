using System.Collections;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.Runtime.Internal.Transform;

namespace NetAutomation.Aws.Wire;

/// <summary>
/// Writes a request as form parameters: <c>Action</c>, <c>Version</c> and one parameter per leaf (Smithy, "AWS query protocol").
/// </summary>
internal sealed class QueryMarshaller(string serviceName, string version) : IMarshaller<IRequest, AmazonWebServiceRequest>
{
    public IRequest Marshall(AmazonWebServiceRequest input)
    {
        var request = new DefaultRequest(input, serviceName) { HttpMethod = "POST", ResourcePath = "/" };
        var parameters = request.ParameterCollection;
        parameters.Add("Action", Operation.NameOf(input));
        parameters.Add("Version", version);
        Write(parameters, "", input);
        return request;
    }

    private static void Write(ParameterCollection parameters, string name, object value)
    {
        switch (value)
        {
            case string text: parameters.Add(name, text); break;
            case int number: parameters.Add(name, number.ToString()); break;
            case IEnumerable list:
                var index = 0;
                foreach (var item in list)
                    Write(parameters, $"{name}.member.{++index}", item);
                break;
            default:
                foreach (var member in Shape.MembersOf(value.GetType()))
                    if (member.GetValue(value) is { } inner)
                        Write(parameters, (name.Length == 0 ? "" : name + ".") + member.Name, inner);
                break;
        }
    }
}
