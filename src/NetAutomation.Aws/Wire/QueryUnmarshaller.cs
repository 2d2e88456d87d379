using System.Collections;
using System.Net;
using System.Xml;
using System.Xml.Linq;
using Amazon.Runtime;
using Amazon.Runtime.Internal.Transform;

namespace NetAutomation.Aws.Wire;

/// <summary>Reads the XML of the query protocol into a response or the service's typed exception.</summary>
internal sealed class QueryUnmarshaller<TResponse, TFault> : XmlResponseUnmarshaller
    where TResponse : AmazonWebServiceResponse, new()
    where TFault : AmazonServiceException
{
    public override AmazonWebServiceResponse Unmarshall(XmlUnmarshallerContext input)
    {
        // An AWS answer never carries a DTD; refusing it closes entity expansion and external entities.
        var strict = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null };
        try
        {
            using var reader = XmlReader.Create(input.Stream, strict);
            var root = XDocument.Load(reader).Root!;
            var name = typeof(TResponse).Name[..^"Response".Length] + "Result";
            var result = Child(root, name) ?? throw new FormatException($"The answer has no {name}.");
            var response = (TResponse)ReadStructure(result, typeof(TResponse));
            response.ResponseMetadata = new ResponseMetadata
            {
                RequestId = Child(Child(root, "ResponseMetadata"), "RequestId")?.Value,
            };
            return response;
        }
        catch (Exception broken) when (broken is XmlException or FormatException or OverflowException)
        {
            throw Broken.Answer(input, broken);
        }
    }

    public override AmazonServiceException UnmarshallException(
        XmlUnmarshallerContext input, Exception innerException, HttpStatusCode statusCode)
    {
        var error = XmlErrorResponseUnmarshaller.GetInstance().Unmarshall(input);
        error.InnerException = innerException;
        error.StatusCode = statusCode;
        return Fault<TFault>.From(error);
    }

    private static object ReadStructure(XElement element, Type type)
    {
        var value = Activator.CreateInstance(type)!;
        foreach (var member in Shape.MembersOf(type))
            if (Child(element, member.Name) is { } child)
                member.SetValue(value, Read(child, member.PropertyType));
        return value;
    }

    private static object? Read(XElement element, Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string))
            return element.Value;
        if (type == typeof(int))
            return XmlConvert.ToInt32(element.Value);
        if (type.IsSubclassOf(typeof(ConstantClass)))
            return Activator.CreateInstance(type, element.Value);
        return type.IsGenericType ? ReadList(element, type) : ReadStructure(element, type);
    }

    // The official unmarshallers create a list when its first item arrives, so an empty element stays null.
    private static IList? ReadList(XElement element, Type type)
    {
        IList? list = null;
        foreach (var item in element.Elements().Where(e => Is(e, "member")))
            (list ??= (IList)Activator.CreateInstance(type)!).Add(Read(item, type.GenericTypeArguments[0]));
        return list;
    }

    private static XElement? Child(XElement? element, string name) => element?.Elements().FirstOrDefault(e => Is(e, name));

    // Local names only: the namespace differs between partitions and emulators.
    private static bool Is(XElement element, string name) => string.Equals(element.Name.LocalName, name, StringComparison.Ordinal);
}
